import assert from "node:assert/strict"
import { describe, it } from "node:test"
import { makeTokenizer } from "@tandem/models"
import { chatTemplateOf, conversationTokens, InvalidPrompt, type LearnedMessage } from "../../src/index.ts"
import { chatModels, chatting } from "../support/Chatting.ts"

const now = new Date("2024-07-26T00:00:00Z")
const said = (content: string, trained = true): LearnedMessage => ({ role: "assistant", content, trained })
const asked = (content: string): LearnedMessage => ({ role: "user", content, trained: false })
const all = [301, 302, 303, 304, 305]
const talk = [asked("How long was the river?"), said("1,250 km."), asked("And the sea?"), said("It was far 🚀.")]

/** What is learned, as texts: a run of labels each. */
const learned = (name: string, messages: readonly LearnedMessage[], endTokenIds: readonly number[] = all) => {
  const tokenizer = chatting(name)
  const { ids, labels } = conversationTokens({ tokenizer, endTokenIds, maxLength: 4096 }, messages)
  const runs: number[][] = []
  for (const [at, id] of ids.entries()) {
    if (labels[at] !== true) continue
    if (at === 0 || labels[at - 1] !== true) runs.push([])
    runs.at(-1)!.push(id)
  }
  const rendered = chatTemplateOf(tokenizer)?.render(messages, { addGenerationPrompt: false, now }) ?? ""
  return { text: tokenizer.decode([...ids]), runs: runs.map((run) => tokenizer.decode(run)), rendered }
}

const withoutEnd = (text: string): string => text.replace(/<[^<]*>$/, "")

describe("conversations that are learned from", () => {
  for (const name of chatModels) {
    it(`${name}: the last turn is learned as the template has it, with what ends it`, () => {
      const { text, runs, rendered } = learned(name, [asked("Who?"), said("The river.", false), ...talk.slice(2)])
      assert.ok(rendered.startsWith(withoutEnd(text)), `${text} | ${rendered}`)
      assert.equal(runs.length, 1)
      assert.match(runs[0] ?? "", /^(?:<think>\s*<\/think>\s*)? ?It was far 🚀\.(?:<.*>)$/)
    })
  }

  for (const name of chatModels.filter((each) => each !== "qwen3")) {
    it(`${name}: each trained turn is learned, and nothing else`, () => {
      const { runs, text, rendered } = learned(name, talk)
      assert.ok(rendered.startsWith(withoutEnd(text)), `${text} | ${rendered}`)
      assert.deepEqual(
        runs.map((run) => withoutEnd(run).trim()),
        ["1,250 km.", "It was far 🚀."],
      )
    })
  }

  for (const [name, content] of [
    ["smollm2", "end"],
    ["smollm2", "im"],
    ["qwen3", "think"],
    ["gemma-2", "turn"],
    ["qwen3", "<think>\nA river is long.\n</think>\n\nLong."],
  ] as const) {
    it(`${name}: an answer of words that the template writes, too, is learned as it stands: ${content.slice(0, 8)}`, () => {
      const { runs } = learned(name, [asked("Who?"), said(content)])
      assert.equal(runs.length, 1)
      assert.equal(withoutEnd(runs[0] ?? "").replace(/^<think>\s*<\/think>\s*/, ""), content)
    })
  }

  it("a template that writes earlier turns otherwise, and a conversation that nothing is learned from, are refused", () => {
    assert.throws(() => learned("qwen3", talk), { _tag: "InvalidPrompt", field: "messages[1]" })
    assert.throws(() => learned("smollm2", [asked("Who?"), said("The river.", false)]), { field: "messages" })
    const { chatTemplate: _, ...files } = chatting("smollm2").files
    const bare = makeTokenizer(files)
    assert.throws(
      () => conversationTokens({ tokenizer: bare, endTokenIds: all, maxLength: 64 }, talk),
      (error) => error instanceof InvalidPrompt && error.field === "chat_template",
    )
  })
})
