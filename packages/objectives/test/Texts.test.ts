// How likely texts are that a model learns parts of, of all and by whether retrieval had failed for what they show.
import assert from "node:assert/strict"
import { test } from "node:test"
import type { InstructionExample } from "@tandem/datasets"
import { makeLocalGenerator, makePrompts } from "@tandem/generator"
import { tinyDecoder, trainWordPiece } from "@tandem/models"
import {
  evaluateTexts,
  labelledTexts,
  measuredTexts,
  type RaltBatch,
  raltBatches,
  raltProgram,
  textCounts,
  textReports,
} from "@tandem/objectives"
import { jointName } from "@tandem/onnx"
import { Runtime } from "@tandem/runtime"
import { layer } from "@tandem/runtime/node/NodeRuntime"
import { Effect } from "effect"

const vocabulary = trainWordPiece(["who owns the house ?", "anna owns it", "ben owns the boat", "not known"], {
  vocabularySize: 80,
})
const model = tinyDecoder({ seed: 3, vocabulary, hidden: 16, layers: 1, heads: 2, intermediate: 32, maxLength: 64 })
const template = { kind: "text", text: "{context} {query} {response}" } as const
const prompts = makePrompts(model, { template, maxPrompt: 48, maxAnswer: 16 })

const rowAt = (at: number, metadata?: InstructionExample["metadata"]): InstructionExample => ({
  kind: "segments",
  id: `s${at}`,
  weight: 1 + at,
  segments: [
    { text: "who owns the house ?", trained: false },
    { text: at % 2 === 0 ? " anna owns it[SEP]" : " not known[SEP]", trained: true },
    { text: " who owns the boat ?", trained: false },
    { text: " ben".repeat(1 + at), trained: true },
  ],
  ...(metadata === undefined ? {} : { metadata }),
})
const measuredOf = (rows: readonly InstructionExample[]) =>
  Effect.gen(function* () {
    const { texts } = yield* labelledTexts(model, prompts, rows)
    const generator = yield* makeLocalGenerator({ model })
    return { texts, results: yield* evaluateTexts(generator, texts, () => undefined) }
  }).pipe(Effect.scoped, Effect.provide(layer({ threads: 1 })), Effect.runPromise)

/** Nats a trained token as the objective's own graph has them, which weighs no text more than another. */
const trainedNll = async (rows: readonly InstructionExample[]): Promise<number> => {
  const { texts } = await Effect.runPromise(labelledTexts(model, prompts, rows))
  const [batch] = raltBatches(model, {
    ...{ questions: [], texts: texts.map((text) => ({ ...text, weight: 1 })), prompts, batchSize: texts.length },
    ...{ reduction: "token", trainOnPrompt: false, passTokens: 10_000, seed: 0, k: 1, weights: { kind: "none" } },
    ...{ closedBookShare: 0, passagesPerPrompt: 1, distractorShare: 1 },
  }).at(0)
  return Effect.runPromise(nllOf(batch).pipe(Effect.scoped, Effect.provide(layer({ threads: 1 }))))
}
const nllOf = Effect.fnUntraced(function* (batch: RaltBatch) {
  const { graph } = yield* raltProgram(model, batch, 0)
  const executable = yield* (yield* Runtime).compile(graph)
  const weights = [...model.parameters].map(([name, value]) => [jointName("generator", name), value] as const)
  const outputs = yield* executable.run({ ...Object.fromEntries(weights), ...batch.tensors })
  return Number(outputs["nll"]!.data[0])
})
const near = (found: number | undefined, expected: number) =>
  assert.ok(Math.abs(found! - expected) < 1e-4 * expected, `${found}, not ${expected}`)

test("figures of texts are the loss of training over their trained tokens, of all and of each group", async () => {
  const failures = [false, true, undefined, false, true]
  const rows = failures.map((failed, at) => rowAt(at, failed === undefined ? undefined : { failed }))
  const { texts, results } = await measuredOf(rows)
  const { metrics, perQuestion } = measuredTexts(results)
  assert.deepEqual(Object.keys(metrics), ["n", "nll", "success.nll", "failed.nll"])
  assert.equal(metrics["n"], 5)
  near(metrics["nll"], await trainedNll(rows))
  near(metrics["success.nll"], await trainedNll([rows[0]!, rows[3]!]))
  near(metrics["failed.nll"], await trainedNll([rows[1]!, rows[4]!]))
  assert.notEqual(metrics["success.nll"], metrics["failed.nll"])
  for (const [name, values] of Object.entries(perQuestion)) {
    near(values.reduce((sum, value) => sum + value, 0) / values.length, metrics[name]!)
    const { low, high, estimate } = textReports(results)[name]!.intervals.nll!
    assert.ok(low < estimate && estimate < high, name)
  }
  assert.equal(perQuestion["failed.nll"]!.length, 2)
  assert.deepEqual(textCounts(texts), { texts: 5, success: 2, failed: 2 })
})

test("where no text says its group there is none, and what says it otherwise than by true or false says nothing", async () => {
  const { texts, results } = await measuredOf([rowAt(0), rowAt(1, { failed: "yes" }), rowAt(2, { failed: null })])
  assert.deepEqual(Object.keys(measuredTexts(results).metrics), ["n", "nll"])
  assert.deepEqual(textCounts(texts), { texts: 3 })
  const one = await measuredOf([rowAt(0, { failed: true })])
  const { metrics } = measuredTexts(one.results)
  assert.deepEqual(Object.keys(metrics), ["n", "nll", "failed.nll"])
  assert.equal(metrics["failed.nll"], metrics["nll"])
})
