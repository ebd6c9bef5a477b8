import assert from "node:assert/strict"
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { after, test } from "node:test"
import { type Conversation, conversationLine, rowMaker, segmentsLine } from "../../src/index.ts"
import { conversationFiles, readConversations, rowsFile, writeTrainingRows } from "../../src/node/ConversationFolder.ts"
import { threeConversations, turnsOf } from "../support/Conversations.ts"

const folder = mkdtempSync(join(tmpdir(), "tandem-datagen-"))
after(() => rmSync(folder, { recursive: true, force: true }))

const write = (conversations: readonly Conversation[]): void => {
  for (const [at, name] of conversationFiles.entries()) {
    const own = conversations.filter(({ item }) => item.failed === (at === 1))
    writeFileSync(join(folder, name), own.map(conversationLine).join(""))
  }
}
const read = async () => {
  const found: Conversation[] = []
  for await (const conversation of readConversations(folder)) found.push(conversation)
  return found
}
const maker = rowMaker({
  final_assistant_prompts: ["{data}"],
  system_format: "{{ system }}",
  user_format: "{{ user }}",
  assistant_format: "{{ assistant }}",
  bos: "",
  num_items_per_group: 2,
  train_on_questions: true,
  train_on_thoughts: false,
  seed: 0,
})

test("conversations come back in the order of their keys, whatever order they were finished in", async () => {
  write(threeConversations.toReversed())
  assert.deepEqual(await read(), threeConversations)
  assert.equal(await writeTrainingRows(folder, maker), 3)
  const before = readFileSync(join(folder, rowsFile), "utf8")
  const groups = [threeConversations.slice(0, 2), threeConversations.slice(2)]
  assert.equal(
    before,
    groups
      .flatMap((group) => maker.rows(group))
      .map(segmentsLine)
      .join(""),
  )
  write(threeConversations)
  await writeTrainingRows(folder, maker)
  assert.equal(readFileSync(join(folder, rowsFile), "utf8"), before)
})

test("long lines and letters of several bytes are read whole", async () => {
  const long = { item: threeConversations[1]!.item, turns: turnsOf("é漢".repeat(60_000), "ok") }
  write([threeConversations[0]!, long, threeConversations[2]!])
  assert.deepEqual(await read(), [threeConversations[0], long, threeConversations[2]])
})

test("a line that is no conversation is named by its place; a folder without any is refused", async () => {
  const file = join(folder, conversationFiles[0])
  writeFileSync(file, `${conversationLine(threeConversations[0]!)}\n{"item": {"key": 3}}\n`)
  await assert.rejects(read(), { _tag: "InvalidRow", file, line: 3, field: "item.key" })
  writeFileSync(file, "{")
  await assert.rejects(read(), { _tag: "InvalidJson", file, line: 1 })
  await assert.rejects(readConversations(join(folder, "none")).next(), { _tag: "UnreadableFile" })
})
