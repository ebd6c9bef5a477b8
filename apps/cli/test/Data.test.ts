// tandem data audit, export and lint as people run them, over what a pipeline leaves.
import assert from "node:assert/strict"
import { mkdirSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { after, test } from "node:test"
import { type Conversation, conversationLine } from "@tandem/datagen"
import { trainWordPiece } from "@tandem/models"
import { runCommandLine } from "../src/CommandLine.ts"
import { makeFolder, tandem } from "./support/Tandem.ts"

const folder = makeFolder()
after(folder.remove)

const chunkOf = (source: string, text: string) => ({
  ...{ id: source, source, document: source, index: 0, text, start: 0, end: text.length },
})
const [pump, oven] = [chunkOf("pump.md", "Prime the pump first."), chunkOf("oven.md", "Bake the bread for an hour.")]
const conversations: readonly Conversation[] = [
  {
    item: { key: "a", chunk: pump, shown: [oven, pump], failed: false },
    turns: [
      { role: "user", text: "What comes first?" },
      { role: "assistant", text: "Prime the pump [pump.md]." },
    ],
  },
  {
    item: { key: "b", chunk: oven, shown: [pump], failed: true },
    turns: [
      { role: "user", text: "How long does bread bake?" },
      { role: "assistant", text: "Most loaves need less than that." },
    ],
  },
]
const out = join(folder.path, "out")
mkdirSync(out)
const write = (name: string, all: readonly Conversation[]): void =>
  writeFileSync(join(out, name), all.map(conversationLine).join(""))
write("rag_success_convs.jsonl", conversations.slice(0, 1))
write("rag_failed_convs.jsonl", conversations.slice(1))
const settings = {
  path: { input_dir: "in", output_dir: out },
  api: { small_model: "small", large_model: "large" },
  system: { assistant_format: "Assistant: {{ assistant }}[SEP]\n", bos: "[CLS]" },
}
const config = join(folder.path, "data.yaml")
writeFileSync(config, JSON.stringify(settings))

const run = async (text: string) => {
  const ended = await tandem(["data", ...text.split(" "), "--json"], undefined, { cwd: folder.path })
  const rows = ended.stdout.split("\n").filter((line) => line !== "")
  return { code: ended.code, stderr: ended.stderr, last: rows.length === 0 ? undefined : JSON.parse(rows.at(-1)!) }
}

test("an audit writes its page, and fails where what was kept is faulty", async () => {
  const { code, last, stderr } = await run("audit --config data.yaml")
  assert.equal(code, 0, stderr)
  assert.deepEqual([last.ok, last.counts.rows, last.file], [true, 2, join(out, "audit.html")])
  assert.match(readFileSync(last.file, "utf8"), /2 training rows out of 2 items/)
  const [first] = conversations as readonly [Conversation]
  write("rag_success_convs.jsonl", [
    { ...first, turns: [first.turns[0]!, { role: "assistant", text: "Ground Truth: no." }] },
  ])
  const faulty = await run("audit --config data.yaml --out page.html")
  assert.equal(faulty.code, 1)
  assert.deepEqual(faulty.last.faults, [
    { check: "leaked-prompt", count: 1 },
    { check: "uncited", count: 1 },
  ])
  write("rag_success_convs.jsonl", [first])
})

test("exports say what they cannot, and what ralt is exported with is linted by a tokenizer", async () => {
  const ralt = await run("export --config data.yaml --to ralt --out rows.jsonl")
  assert.deepEqual([ralt.code, ralt.last.rows, ralt.last.lines], [0, 2, 2], ralt.stderr)
  assert.match(ralt.last.warnings.join(), /ralt cannot say `bos` in the template/)
  assert.equal(ralt.last.template, "rows.template.txt")
  assert.match(
    readFileSync(join(folder.path, "rows.template.txt"), "utf8"),
    /\{context\}[\s\S]*User: \{query\}\nAssistant: \{response\}/,
  )

  const files = trainWordPiece(["user assistant what comes first prime the pump bake bread"], { vocabularySize: 120 })
  mkdirSync(join(folder.path, "tokens"))
  writeFileSync(join(folder.path, "tokens", "tokenizer.json"), JSON.stringify(files.tokenizer))
  writeFileSync(
    join(folder.path, "tokens", "tokenizer_config.json"),
    JSON.stringify({ ...files.config, eos_token: "[SEP]" }),
  )
  const lint = await run("lint --data rows.jsonl --sequence-length 500 --tokenizer tokens")
  assert.equal(lint.code, 0, JSON.stringify(lint.last))
  assert.equal(lint.last.rows, 2)
  const long = await run("lint --data rows.jsonl --sequence-length 20 --tokenizer tokens")
  assert.deepEqual([long.code, long.last.counts["too-long"]], [1, 2])
})

test("a folder without conversations, unknown settings and broken formats are refused by their exit codes", async (t) => {
  const refused = async (more: object, expected: RegExp) => {
    const file = join(folder.path, "other.yaml")
    writeFileSync(file, JSON.stringify({ ...settings, ...more }))
    let stderr = ""
    const write = t.mock.method(process.stderr, "write", (text: string) => {
      stderr += text
      return true
    })
    const to = ["--to", "trl", "--out", join(folder.path, "x.jsonl")]
    const code = await runCommandLine(["data", "export", "--config", file, ...to], "0.0.0")
    write.mock.restore()
    assert.match(stderr, expected)
    return code
  }
  const nowhere = { path: { input_dir: "in", output_dir: join(folder.path, "nowhere") } }
  assert.equal(await refused(nowhere, /error\[UnreadableFile\] .*nowhere holds no conversations/), 3)
  assert.equal(await refused({ system: { chunk_sise: 3 } }, /system\.chunk_sise/), 2)
  assert.equal(
    await refused({ system: { user_format: "{{ user }" } }, /error\[InvalidTemplate\] .*system\.user_format/),
    3,
  )
})
