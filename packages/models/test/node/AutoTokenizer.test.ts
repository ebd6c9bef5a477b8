import assert from "node:assert/strict"
import { test } from "node:test"
import { AutoTokenizer } from "@huggingface/transformers"
import { makeTokenizer } from "../../src/tokenizer/Tokenizer.ts"
import { goldenJson, goldenPath } from "../support/Golden.ts"

test("transformers.js' AutoTokenizer gives the same ids", async () => {
  const ours = makeTokenizer({
    tokenizer: goldenJson("tokenizer/tokenizer.json"),
    config: goldenJson("tokenizer/tokenizer_config.json"),
  })
  const theirs = await AutoTokenizer.from_pretrained(goldenPath("tokenizer"))
  for (const { text } of goldenJson("tokenizer/golden.json").single) {
    assert.deepEqual(ours.encode(text).ids, theirs.encode(text))
  }
})
