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

for (const file of Object.keys(golden.files)) {
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
