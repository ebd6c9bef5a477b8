import assert from "node:assert/strict"
import { readFileSync } from "node:fs"
import { test } from "node:test"
import { InvalidTokenizer } from "../../src/Errors.ts"
import { encoderInputs, makeTokenizer, type Text } from "../../src/tokenizer/Tokenizer.ts"
import { readVocabulary, wordPieceFiles } from "../../src/tokenizer/WordPieceFiles.ts"
import { goldenJson, goldenPath } from "../support/Golden.ts"

const files = {
  tokenizer: goldenJson("tokenizer/tokenizer.json"),
  config: goldenJson("tokenizer/tokenizer_config.json"),
}
const golden = goldenJson("tokenizer/golden.json")
const fromFiles = makeTokenizer(files)
const fromVocabulary = makeTokenizer(
  wordPieceFiles(readVocabulary(readFileSync(goldenPath("tokenizer/vocab.txt"), "utf8")), {
    lowerCase: true,
    maxLength: 64,
  }),
)

const textOf = (row: { text: string; pair?: string }): Text =>
  row.pair === undefined ? row.text : [row.text, row.pair]

for (const [origin, tokenizer] of [
  ["tokenizer.json", fromFiles],
  ["vocab.txt", fromVocabulary],
] as const) {
  for (const row of [...golden.single, ...golden.pair]) {
    test(`${origin}, ${row.name}: ids and segments of the tokenizers library`, () => {
      const { ids, types, cut } = tokenizer.encode(textOf(row))
      assert.deepEqual(ids, row.ids)
      assert.deepEqual(types, row.tokenTypeIds)
      assert.equal(cut, 0)
    })
  }
}

for (const [key, truncation] of [
  ["truncatedTo16", "longest-first"],
  ["truncatedTo16SecondOnly", "only-second"],
] as const) {
  for (const row of golden[key]) {
    test(`${truncation}, ${row.name}: cut as the tokenizers library does`, () => {
      const { ids, types, cut } = fromFiles.encode(textOf(row), { maxLength: 16, truncation })
      assert.deepEqual(ids, row.ids)
      assert.deepEqual(types, row.tokenTypeIds)
      assert.equal(cut, fromFiles.encode(textOf(row)).ids.length - ids.length)
    })
  }
}

test("encoding without special tokens, and decoding", () => {
  for (const row of golden.withoutSpecialTokens) {
    assert.deepEqual(fromFiles.encode(row.text, { specialTokens: false }).ids, row.ids)
  }
  for (const row of golden.decoded) assert.equal(fromFiles.decode(row.ids), row.text)
  assert.equal(fromFiles.decode([]), "")
})

test("batches are padded, at their own width or a given one, and count the texts that were cut", () => {
  const { texts, ids, attentionMask } = golden.paddedBatch
  const batch = fromFiles.encodeBatch(texts, { maxLength: 16 })
  assert.deepEqual([...batch.ids], ids.flat())
  assert.deepEqual([...batch.mask], attentionMask.flat())
  assert.equal(batch.cut, texts.filter((text: string) => fromFiles.encode(text).ids.length > 16).length)
  const wide = fromFiles.encodeBatch(texts, { maxLength: 16, tokens: 20 })
  assert.deepEqual([wide.rows, wide.tokens, wide.ids.length], [3, 20, 60])
  assert.deepEqual(wide.lengths, batch.lengths)
  const inputs = encoderInputs(batch, ["input_ids", "attention_mask"])
  assert.deepEqual(Object.keys(inputs), ["input_ids", "attention_mask"])
  assert.deepEqual(inputs["input_ids"]?.dims, [3, 16])
  assert.throws(() => fromFiles.encodeBatch(texts, { tokens: 4 }), InvalidTokenizer)
})

test("unusable files and lengths are tagged errors", () => {
  assert.throws(() => makeTokenizer({ tokenizer: {}, config: {} }, "x/tokenizer.json"), InvalidTokenizer)
  assert.throws(
    () => makeTokenizer({ tokenizer: { ...files.tokenizer, normalizer: { type: "Odd" } }, config: {} }),
    InvalidTokenizer,
  )
  const model = files.tokenizer["model"]
  const vocab = { ...model.vocab, flight: Number.POSITIVE_INFINITY }
  assert.throws(
    () =>
      makeTokenizer({ ...files, tokenizer: { ...files.tokenizer, model: { ...model, vocab } } }, "x/tokenizer.json"),
    { _tag: "InvalidTokenizer", file: "x/tokenizer.json", field: "vocab", found: "Infinity" },
  )
  const around = (pieces: object) => ({
    ...files,
    tokenizer: { ...files.tokenizer, post_processor: { type: "TemplateProcessing", special_tokens: {}, ...pieces } },
  })
  assert.throws(() => makeTokenizer(around({ pair: [] })), InvalidTokenizer)
  const alone = makeTokenizer(around({ single: [{ Sequence: { id: "A", type_id: 0 } }] }))
  assert.ok(alone.encode("the").ids.length > 0)
  assert.throws(() => alone.encode(["the", "first"]), { _tag: "InvalidTokenizer", field: "post_processor" })
  assert.throws(() => wordPieceFiles(["a", "[PAD]"], { lowerCase: true, maxLength: 8 }), InvalidTokenizer)
  assert.throws(() => fromFiles.encode("the", { maxLength: 1 }), InvalidTokenizer)
  assert.throws(
    () => fromFiles.encode(["where did the first flight", "x"], { maxLength: 5, truncation: "only-second" }),
    InvalidTokenizer,
  )
})
