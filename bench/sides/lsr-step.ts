// Steps of `tandem lsr train`: all pairs of a batch scored in one call, what prompts of a question begin with computed once;
// then the query encoder's own step. Where scores are known, the step alone.

import { makeLocalGenerator } from "@tandem/generator"
import { loadEncoder } from "@tandem/models/node/LoadEncoder"
import { loadLanguageModel } from "@tandem/models/node/LoadLanguageModel"
import { type LsrLossSettings, lsrProgram } from "@tandem/objectives"
import { handOverWeights } from "@tandem/runtime"
import { Effect } from "effect"
import type { JointRow } from "../support/JointRow.ts"
import type { LsrSettings } from "../support/LsrSettings.ts"
import { readJointBatches, taughtBatch } from "../support/QueryRows.ts"
import { queryStep } from "../support/QueryStep.ts"
import { sideRuntime } from "../support/SideRuntime.ts"
import { answerWithSteps } from "../support/TrainingSteps.ts"

const settings: LsrSettings = JSON.parse(process.argv[2] ?? "{}")
const { temperatures } = settings
const loss: LsrLossSettings = {
  kind: "lsr",
  direction: "lm-retriever",
  score: "meanLogprob",
  flatBelow: 0,
  retrieverTemperature: temperatures.retriever,
  languageModelTemperature: temperatures.teacher,
}

const main = Effect.gen(function* () {
  const batches = readJointBatches(settings.batches)
  const encoder = yield* loadEncoder(settings.encoder)
  const model = yield* loadLanguageModel(settings.model)
  const generator = yield* makeLocalGenerator({ model, weights: yield* handOverWeights(model.parameters) })
  const scored = (rows: readonly JointRow[]) =>
    Effect.map(
      generator.score(
        rows.map(({ prompts, answer: ids }) => ({
          prompts: prompts.map((prompt) => ({ ids: prompt })),
          answer: { ids },
        })),
      ),
      (scores) => scores.map((row) => row.map(({ logprob }) => logprob)),
    )
  const known = new Map<readonly JointRow[], readonly (readonly number[])[]>()
  if (settings.step === "cached") for (const rows of batches) known.set(rows, yield* scored(rows))
  const towers = { kind: "untied", query: encoder, passage: encoder } as const
  const train = yield* queryStep(encoder, settings.learningRate, ({ shape }) =>
    lsrProgram(towers, { shape }, { retrieval: { similarity: "cosine" }, loss, dropout: 0 }),
  )
  // Shapes come again and again in a long run; only here each would be met for the first time.
  for (const rows of batches)
    yield* train.prepare(
      taughtBatch(
        encoder,
        temperatures.retriever,
        rows,
        rows.map(({ vectors }) => vectors.map(() => -1)),
      ),
    )
  let done = 0
  const step = Effect.gen(function* () {
    const rows = batches[done++ % batches.length]!
    return yield* train.step(
      taughtBatch(encoder, temperatures.retriever, rows, known.get(rows) ?? (yield* scored(rows))),
    )
  })
  yield* answerWithSteps(step, settings.steps)
})
await Effect.runPromise(Effect.scoped(main).pipe(Effect.provide(sideRuntime(settings))))
