// How Axolotl's `input_output` tokenizes segments: against ids that it gave with Mistral-7B-v0.1's tokenizer.
import assert from "node:assert/strict"
import { test } from "node:test"
import { segmentTokens } from "@tandem/datasets"
import { mistralTokenizer } from "../support/MistralTokenizer.ts"

test("segments become Axolotl's ids and labels under Mistral's tokenizer", () => {
  const tokenizer = mistralTokenizer()
  const segments = [
    { trained: true, text: "<s>Hello\n" },
    { trained: true, text: "hi there!. " },
    { trained: false, text: "goodbye " },
    { trained: true, text: "farewell</s>" },
  ]
  const { ids, trained } = segmentTokens(segments, (text) => tokenizer.encode(text, { specialTokens: false }).ids)
  assert.deepEqual(ids, [1, 22557, 13, 12014, 736, 28808, 28723, 28705, 1179, 17664, 28705, 19111, 5458, 2])
  assert.deepEqual(
    ids.map((id, at) => (trained[at] ? id : -100)),
    [1, 22557, 13, 12014, 736, 28808, 28723, 28705, -100, -100, -100, 19111, 5458, 2],
  )
})
