import assert from "node:assert/strict"
import { test } from "node:test"
import { parseChat, parseSegments, sourceOf } from "@tandem/datasets"
import { makeTokenizer, trainWordPiece } from "@tandem/models"
import { type LintKind, lintRows } from "../../src/index.ts"
import { mistralTokenizer } from "../support/MistralTokenizer.ts"

const tokenizer = mistralTokenizer()

const rowOf = (...texts: readonly string[]): string =>
  JSON.stringify({ segments: texts.map((text, at) => ({ label: at % 2 === 1, text })) })
const lint = (lines: readonly string[], sequenceLength = 100) =>
  lintRows(parseSegments(sourceOf(lines.join("\n"), "rows.jsonl")), { tokenizer, sequenceLength })

test("a row that a trainer can use has no findings", async () => {
  const report = await lint([rowOf("<s>Hello\n", "hi there</s>"), rowOf("<s>a", "b</s>")])
  assert.deepEqual([report.ok, report.rows, report.counts], [true, 2, {}])
  assert.deepEqual(report.tokens, { total: 10, trained: 5, median: 6, p95: 6, longest: 6 })
})

test("each kind of trouble is found by its name", async () => {
  const cases: readonly (readonly [LintKind, string])[] = [
    ["too-long", rowOf(`<s>${"word ".repeat(120)}`, "b</s>")],
    ["untrained", JSON.stringify({ segments: [{ label: false, text: "<s>a</s>" }] })],
    ["no-bos", rowOf("Hello", "you</s>")],
    ["doubled-bos", rowOf("<s><s>Hello", "you</s>")],
    ["doubled-bos", rowOf("<s>Hello", "you</s>", "<s>again", "me</s>")],
    ["no-end", rowOf("<s>Hello", "you")],
    ["no-end", rowOf("<s>Hello", "you", "</s>")],
    ["empty-segment", rowOf("<s>Hello", "you</s>", "", "me</s>")],
    ["foreign-token", rowOf("<s><|im_start|>user", "you</s>")],
  ]
  for (const [kind, row] of cases) {
    const { ok, counts, findings } = await lint([row])
    assert.equal(ok, false, row)
    assert.deepEqual(Object.keys(counts), [kind], row)
    assert.deepEqual([findings[0]?.file, findings[0]?.line, findings[0]?.kind], ["rows.jsonl", 1, kind])
  }
})

test("what is unknown to a tokenizer is a warning, and no row at all a failure", async () => {
  const words = makeTokenizer({
    ...trainWordPiece(["hello you"], { vocabularySize: 40 }),
    config: { unk_token: "[UNK]", eos_token: "[SEP]" },
  })
  const rows = parseSegments(sourceOf(rowOf("hello ☃", "you[SEP]")))
  const report = await lintRows(rows, { tokenizer: words, sequenceLength: 50 })
  assert.deepEqual([report.ok, report.counts], [true, { "unknown-token": 1 }])
  assert.equal((await lint([])).ok, false)
})

test("conversations are laid out by the tokenizer's chat template, where it has one", async () => {
  const line = JSON.stringify({
    messages: [
      { role: "user", content: "hello" },
      { role: "assistant", content: "you" },
    ],
  })
  const chatTemplate = "{{ bos_token }}{% for m in messages %}{{ m.role }} {{ m.content }}{{ eos_token }}{% endfor %}"
  const check = (template?: string) =>
    lintRows(parseChat(sourceOf(line)), {
      tokenizer: template === undefined ? tokenizer : makeTokenizer({ ...tokenizer.files, chatTemplate: template }),
      sequenceLength: 50,
    })
  assert.deepEqual((await check(chatTemplate)).counts, {})
  assert.deepEqual((await check(`{{ bos_token }}${chatTemplate}`)).counts, { "doubled-bos": 1 })
  assert.deepEqual((await check()).counts, { unreadable: 1 })
})
