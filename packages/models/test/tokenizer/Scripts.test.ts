// Token ids of 13 scripts by tokenizers of every kind, against Hugging Face's library (test/golden/scripts.py).
import assert from "node:assert/strict"
import { test } from "node:test"

import { makeTokenizer } from "../../src/tokenizer/Tokenizer.ts"
import { goldenJson } from "../support/Golden.ts"

const golden = goldenJson("tokenizer/scripts.json")
const texts: Readonly<Record<string, string>> = golden.texts
const { tokenizers: kinds } = golden

for (const kind of Object.keys(kinds)) {
  const { tokenizer, ids } = kinds[kind]
  for (const [script, text] of Object.entries(texts)) {
    test(`${kind}: ${script}`, () => {
      const found = makeTokenizer({ tokenizer, config: {} }).encode(text, { specialTokens: false })
      assert.deepEqual(found.ids, ids[script])
    })
  }
}

/**
 * Merges of bytes or characters of which the vocabulary holds a part alone. What it lacks is left out before merging by
 * `tokenizers`, and after it by the library here, so that neighbours of an unknown character may merge there: docs/from-sentence-transformers.md.
 */
const incomplete = ["gpt2", "llama", "mistral", "qwen2", "qwen3"].map((name) => `decoders/${name}/tokenizer.json`)

test("where ids differ, the vocabulary lacks characters", () => {
  for (const file of incomplete) {
    const { type, vocab } = goldenJson(file).model
    const letters = Object.keys(vocab).filter((token) => [...token].length === 1)
    assert.ok(type === "BPE" && letters.length < 256, file)
  }
})

for (const file of Object.keys(golden.files).filter((name) => !incomplete.includes(name))) {
  test(`${file}: every script`, () => {
    const tokenizer = makeTokenizer({ tokenizer: goldenJson(file), config: {} })
    for (const [script, text] of Object.entries(texts)) {
      assert.deepEqual(tokenizer.encode(text, { specialTokens: false }).ids, golden.files[file][script], script)
    }
  })
}

test("compiled rules that are cut off end in an error with the file's name", () => {
  const { tokenizer } = kinds["Unigram, compiled rules"]
  const [precompiled, lowercase] = tokenizer.normalizer.normalizers
  for (const precompiled_charsmap of ["AAAA", precompiled.precompiled_charsmap.slice(0, 40)]) {
    const normalizer = { type: "Sequence", normalizers: [{ ...precompiled, precompiled_charsmap }, lowercase] }
    assert.throws(() => makeTokenizer({ tokenizer: { ...tokenizer, normalizer }, config: {} }), {
      file: "tokenizer.json",
    })
  }
})
