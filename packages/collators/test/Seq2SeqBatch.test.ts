import assert from "node:assert/strict"
import { it } from "node:test"
import { bucketLengths, collateSeq2Seq, InvalidBatch, type Seq2SeqBatchOptions } from "@tandem/collators"
import { toNumbers } from "@tandem/onnx"

const bucket = bucketLengths({ multiple: 2, maximum: 8 })
const options: Seq2SeqBatchOptions = { padTokenId: 0, startTokenId: 1, bucket, targetBucket: bucket }
const texts = [
  { source: [5, 6, 7], target: [9, 8, 2], weight: 0.5 },
  { source: [5], target: [2] },
]

it("gives the decoder what it has written before, and reads every token of the target", () => {
  const { tensors, shape } = collateSeq2Seq(texts, options)
  assert.deepEqual(shape, { batch: 2, tokens: 4, targetTokens: 4, logitRows: 4 })
  const values = Object.fromEntries(Object.entries(tensors).map(([name, value]) => [name, toNumbers(value)]))
  assert.deepEqual(values, {
    input_ids: [5, 6, 7, 0, 5, 0, 0, 0],
    attention_mask: [1, 1, 1, 0, 1, 0, 0, 0],
    decoder_input_ids: [1, 9, 8, 0, 1, 0, 0, 0],
    decoder_attention_mask: [1, 1, 1, 0, 1, 0, 0, 0],
    logit_rows: [0, 1, 2, 4],
    targets: [9, 8, 2, 2],
    weights: [0.5, 0.5, 0.5, 1],
  })
})

it("packs sources and fills up places of logits with some that weigh nothing", () => {
  const { tensors, shape, statistics } = collateSeq2Seq(texts, { ...options, packedMultiple: 5, logitMultiple: 6 })
  assert.deepEqual([shape.packedRows, shape.logitRows], [5, 6])
  assert.deepEqual(toNumbers(tensors["packed_rows"]!), [0, 1, 2, 4, 3])
  assert.deepEqual(toNumbers(tensors["logit_rows"]!), [0, 1, 2, 4, 3, 5])
  assert.deepEqual(toNumbers(tensors["weights"]!).slice(4), [0, 0])
  assert.deepEqual(statistics, { realTokens: 8, paddedTokens: 5 })
})

it("refuses texts without tokens", () => {
  for (const wrong of [[], [{ source: [], target: [2] }], [{ source: [5], target: [] }]])
    assert.throws(() => collateSeq2Seq(wrong, options), InvalidBatch)
})
