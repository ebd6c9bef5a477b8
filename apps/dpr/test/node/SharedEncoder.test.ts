import assert from "node:assert/strict"
import { test } from "node:test"
import {
  bucketLengths,
  collateDualEncoder,
  collateSharedEncoder,
  type DualEncoderItem,
  lengthGroups,
  packedRows,
} from "@tandem/collators"
import type { Pooling } from "@tandem/models"
import { openEncoder } from "@tandem/models/node/LoadEncoder"
import { type DprShape, dprProgram } from "@tandem/objectives"
import { type Tensor, toNumbers } from "@tandem/onnx"
import { sharedTower, towerParameters } from "@tandem/retriever"
import { Runtime } from "@tandem/runtime"
import { layer } from "@tandem/runtime/node/NodeRuntime"
import { differentiateProgram } from "@tandem/trainers"
import { Effect } from "effect"
import { golden } from "../support/Tandem.ts"

const text = (from: number, length: number) => ({ ids: [2, ...Array.from({ length }, (_, at) => 5 + from + at), 3] })

/** Two questions of one passage, one with too few hard negatives. */
const items: readonly DualEncoderItem[] = [
  { query: text(1, 3), positive: { id: "a", text: text(2, 9) }, negatives: [{ id: "b", text: text(7, 2) }] },
  { query: text(4, 1), positive: { id: "b", text: text(7, 2) }, negatives: [] },
  { query: text(3, 4), positive: { id: "a", text: text(2, 9) }, negatives: [{ id: "c", text: text(11, 5) }] },
].map((item) => ({ ...item, relevant: new Set([item.positive.id]) }))

const bucket = bucketLengths({ multiple: 4, maximum: 16 })
const options = { padTokenId: 0, bucket, hardNegatives: 1, inputs: ["input_ids", "attention_mask", "token_type_ids"] }

/** Loss and gradients of the tiny model on a batch. */
const gradients = (mode: Pooling["mode"], shape: DprShape, tensors: Readonly<Record<string, Tensor>>) =>
  Effect.gen(function* () {
    const runtime = yield* Runtime
    const encoder = yield* openEncoder(golden("sentence-transformers-tiny"))
    const pooled = { ...encoder, pooling: { ...encoder.pooling, mode } }
    const towers = sharedTower(pooled)
    const program = yield* dprProgram(towers, shape, {
      similarity: "cosine",
      temperature: 0.05,
      symmetric: false,
      dropout: 0,
    })
    const parameters = towerParameters(towers)
    const wrt = [...parameters.keys()].filter((name) => program.graph.inputs.some((input) => input.name === name))
    const executable = yield* runtime.compile(yield* differentiateProgram(program, wrt))
    return yield* executable.run({ ...Object.fromEntries(parameters), ...tensors })
  }).pipe(Effect.scoped, Effect.provide(layer({ threads: 1 })), Effect.runPromise)

for (const mode of ["mean", "cls"] as const) {
  test(`questions and passages in one batch of a shared encoder give the loss and the gradients of two batches, ${mode}`, async () => {
    const separate = collateDualEncoder(items, options)
    const { queries, passages, queryTokens, passageTokens } = separate.shape
    const apart = await gradients(
      mode,
      {
        queries,
        passages,
        encoders: {
          query: { batch: queries, tokens: queryTokens },
          passage: { batch: passages, tokens: passageTokens },
        },
      },
      separate.tensors,
    )
    const shared = collateSharedEncoder(items, options)
    assert.deepEqual([shared.statistics.duplicatePassages, shared.statistics.freeRows], [2, 1])
    const { texts: batch, tokens } = shared.shape
    const mask = shared.tensors["text.attention_mask"]!
    const groups = lengthGroups(mask, [0.25, 0.5], bucket)
    assert.ok(groups.length > 1)
    const rows = packedRows(mask, 4, groups)
    const together = await gradients(
      mode,
      { queries, passages, encoders: { shared: { batch, tokens, groups, packedRows: rows.dims[0]! } } },
      { ...shared.tensors, "text.packed_rows": rows },
    )
    assert.deepEqual(Object.keys(together).sort(), Object.keys(apart).sort())
    // A key's bias has no influence on a softmax: its gradient is rounding, so every gradient is seen beside the largest.
    const largest = Math.max(...Object.values(apart).flatMap(toNumbers).map(Math.abs))
    for (const [name, value] of Object.entries(apart)) {
      const expected = toNumbers(value)
      const found = toNumbers(together[name]!)
      const scale = Math.max(...expected.map(Math.abs), largest / 100)
      const error = Math.max(...expected.map((number, at) => Math.abs(number - found[at]!))) / scale
      assert.ok(error < 2e-5, `${name}: ${error}`)
    }
  })
}
