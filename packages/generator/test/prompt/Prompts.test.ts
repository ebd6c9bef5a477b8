import assert from "node:assert/strict"
import { describe, it } from "node:test"
import { makeTokenizer, type Tokenizer, trainWordPiece } from "@tandem/models"
import { defaultTemplate, InvalidPrompt, makePrompts, promptText, ragTemplate } from "../../src/index.ts"

const passages = [
  { title: "River", text: "the river was long" },
  { text: "a boat on the river was slow" },
  { title: "", text: "the sea was far" },
]
const lines = [defaultTemplate.text, ...passages.map(({ text }) => text), "River how where", "12 3"]
const tokenizer = makeTokenizer(trainWordPiece(lines, { vocabularySize: 200 }))
const endTokenIds = [tokenizer.tokenId("[SEP]") ?? -1]
const model = { tokenizer, endTokenIds, maxLength: 400 }
const prompts = makePrompts(model, { template: defaultTemplate })
const query = "how long was the river?"

/** Tokens of a text with the tokenizer's first one before it. */
const plain = (text: string, by: Tokenizer = tokenizer): readonly number[] => by.encode(text).ids.slice(0, -1)

describe("makePrompts", () => {
  it("puts question and passages into the template, up to where the answer begins", () => {
    const { ids, cut, contexts } = prompts.prompt(query, passages)
    const context = "River\nthe river was long\n\na boat on the river was slow\n\nthe sea was far"
    const text = defaultTemplate.text
      .replace("{query}", query)
      .replace("{context}", context)
      .replace(/\{response\}[\s\S]*/, "")
    assert.equal(prompts.text(query, passages), text)
    assert.deepEqual(ids, plain(text))
    assert.deepEqual([cut, contexts], [0, 3])
  })

  it("gives the prompts of a question the same beginning, up to the context", () => {
    const [a, b] = passages.map((passage) => prompts.prompt(query, [passage]).ids)
    const head = plain(defaultTemplate.text.replace("{query}", query).replace(/\{context\}[\s\S]*/, ""))
    assert.deepEqual(a?.slice(0, head.length), head)
    assert.deepEqual(b?.slice(0, head.length), head)
  })

  it("leaves the context's place empty without passages", () => {
    const closed = prompts.prompt(query, [])
    assert.match(String(prompts.text(query, [])), /<context>\n\n<\/context>/)
    assert.deepEqual(closed, { ids: plain(String(prompts.text(query, []))), cut: 0, contexts: 0 })
  })

  it("shortens the context alone, from its end, and counts what it cut", () => {
    const whole = prompts.prompt(query, passages).ids
    const closed = prompts.prompt(query, []).ids
    const tail = closed.slice(
      plain(defaultTemplate.text.replace("{query}", query).replace(/\{context\}[\s\S]*/, "")).length,
    )
    for (let maxPrompt = closed.length; maxPrompt <= whole.length; maxPrompt++) {
      const { ids, cut } = makePrompts(model, { template: defaultTemplate, maxPrompt }).prompt(query, passages)
      assert.equal(ids.length, maxPrompt)
      assert.equal(cut, whole.length - maxPrompt)
      assert.deepEqual(ids.slice(0, -tail.length), whole.slice(0, maxPrompt - tail.length))
      assert.deepEqual(ids.slice(-tail.length), tail)
    }
    const short = (room: number) => makePrompts(model, { template: defaultTemplate, maxPrompt: closed.length + room })
    assert.equal(short(0).prompt(query, passages).contexts, 0)
    assert.equal(short(1).prompt(query, passages).contexts, 1)
    const first = plain("River\nthe river was long").length - 1
    assert.equal(short(first).prompt(query, passages).contexts, 1)
    assert.equal(short(first + 1).prompt(query, passages).contexts, 2)
    assert.throws(
      () => short(-1).prompt(query, passages),
      new InvalidPrompt({
        message: "a prompt does not fit even without context",
        field: "maxPrompt",
        expected: `at most ${closed.length - 1} tokens`,
        found: `${closed.length} tokens`,
      }),
    )
  })

  it("takes templates with the context first, and passages as the template has them", () => {
    const template = { ...ragTemplate("{context}\nwhere? {query}\n{response}"), passage: "{text} ({title})" }
    const made = makePrompts(model, { template })
    assert.equal(
      made.text(query, passages.slice(0, 2)),
      `the river was long (River)\n\na boat on the river was slow\nwhere? ${query}\n`,
    )
    assert.deepEqual(made.prompt(query, passages).ids, plain(String(made.text(query, passages))))
    const closed = made.prompt(query, []).ids
    const { ids } = makePrompts(model, { template, maxPrompt: closed.length + 2 }).prompt(query, passages)
    assert.deepEqual(ids, [...plain("the river"), ...closed.slice(1)])
  })

  it("lets nothing that a question or a passage says take a place", () => {
    const odd = "what is {context} and $& of {response}?"
    const text = prompts.text(odd, [{ title: "{text}", text: "{title} {query}" }])
    assert.ok(String(text).includes(`<query>\n${odd}\n</query>\n\n<context>\n{text}\n{title} {query}\n</context>`))
    assert.deepEqual(prompts.prompt(odd, []).ids, plain(String(prompts.text(odd, []))))
  })

  it("puts the token that ends texts straight behind an answer, and cuts none", () => {
    assert.deepEqual(prompts.answer("the river"), { ids: [...plain("the river").slice(1), ...endTokenIds] })
    const two = makePrompts(model, { template: defaultTemplate, maxAnswer: 3 })
    assert.equal(two.answer("the river").ids.length, 3)
    assert.throws(() => two.answer("the long river"), /an answer is too long/)
    assert.throws(() => prompts.answer(" \n"), /no token is left of an answer/)
    const endless = makePrompts({ ...model, endTokenIds: [] }, { template: defaultTemplate })
    assert.equal(endless.endTokenId, undefined)
    assert.throws(() => endless.answer("the river"), InvalidPrompt)
  })

  it("ends answers with the tokenizer's own end where the model has several", () => {
    const [a = -1, b = -1] = [tokenizer.tokenId("[MASK]"), tokenizer.tokenId("[SEP]")]
    const named = makeTokenizer({
      ...tokenizer.files,
      config: { ...tokenizer.files.config, eos_token: { content: "[SEP]" } },
    })
    const several = { ...model, endTokenIds: [a, b] }
    assert.equal(makePrompts(several, { template: defaultTemplate }).endTokenId, a)
    assert.equal(makePrompts({ ...several, tokenizer: named }, { template: defaultTemplate }).endTokenId, b)
    assert.equal(
      makePrompts({ ...several, tokenizer: named, endTokenIds: [a] }, { template: defaultTemplate }).endTokenId,
      a,
    )
  })

  it("takes lengths from the model: prompt and answer share a decoder's, an encoder has its own", () => {
    const of = (maxLength: number, kind: "decoder" | "seq2seq", maxAnswer = 64) =>
      makePrompts({ ...model, maxLength, kind }, { template: defaultTemplate, maxAnswer }).settings
    assert.deepEqual(of(400, "decoder"), { template: defaultTemplate, maxPrompt: 336, maxAnswer: 64 })
    assert.equal(of(400, "decoder", 100).maxPrompt, 300)
    assert.equal(of(8192, "decoder").maxPrompt, 1024)
    assert.equal(of(400, "seq2seq").maxPrompt, 400)
    assert.throws(() => of(64, "decoder"), InvalidPrompt)
    assert.throws(() => makePrompts(model, { template: defaultTemplate, maxPrompt: 337 }), InvalidPrompt)
    assert.throws(() => makePrompts(model, { template: defaultTemplate, maxPrompt: 1.5 }), InvalidPrompt)
    const whole = tokenizer.encode(String(prompts.text(query, passages))).ids
    const encoder = makePrompts({ ...model, kind: "seq2seq" }, { template: defaultTemplate })
    assert.deepEqual(encoder.prompt(query, passages).ids, whole)
  })

  it("asks for a chat template where a conversation is to be made", () => {
    const chat = { kind: "chat", system: "be short", user: "{query}\n\n{context}" } as const
    assert.throws(() => makePrompts(model, { template: chat }), InvalidPrompt)
    assert.deepEqual(promptText(chat, query, passages.slice(1)), [
      { role: "system", content: "be short" },
      { role: "user", content: `${query}\n\na boat on the river was slow\n\nthe sea was far` },
    ])
  })
})
