// The plain step that a taught one is measured by: the same query encoder, its candidates' stored vectors, and a contrastive
// loss whose positive is the first of them.
import { retrievalLogPrior } from "@tandem/losses"
import { loadEncoder } from "@tandem/models/node/LoadEncoder"
import { candidateScores } from "@tandem/objectives/retrieval/CandidateScores"
import { GraphBuilder } from "@tandem/onnx"
import type { Program } from "@tandem/trainers"
import { Effect } from "effect"
import type { LsrSettings } from "../support/LsrSettings.ts"
import { readJointBatches, taughtBatch } from "../support/QueryRows.ts"
import { queryStep } from "../support/QueryStep.ts"
import { sideRuntime } from "../support/SideRuntime.ts"
import { answerWithSteps } from "../support/TrainingSteps.ts"

const settings: LsrSettings = JSON.parse(process.argv[2] ?? "{}")
const temperature = settings.temperatures.retriever

const main = Effect.gen(function* () {
  const encoder = yield* loadEncoder(settings.encoder)
  const towers = { kind: "untied", query: encoder, passage: encoder } as const
  const batches = readJointBatches(settings.batches).map((rows) =>
    taughtBatch(
      encoder,
      temperature,
      rows,
      rows.map(({ vectors }) => vectors.map(() => 0)),
    ),
  )
  const train = yield* queryStep(
    encoder,
    settings.learningRate,
    Effect.fnUntraced(function* ({ shape }) {
      const g = new GraphBuilder()
      const { scores, present, masks } = yield* candidateScores(g, towers, shape, { similarity: "cosine", dropout: 0 })
      const logPrior = retrievalLogPrior(g, scores, { temperature, present })
      const loss = g.neg(g.reduceMean(g.gather(logPrior, g.indices([0]), 1), [0, 1], false))
      const program: Program = { graph: g.build({ loss }, "plain"), loss: "loss", dropout: masks }
      return program
    }),
  )
  for (const batch of batches) yield* train.prepare(batch)
  let done = 0
  const step = Effect.suspend(() => train.step(batches[done++ % batches.length]!))
  yield* answerWithSteps(step, settings.steps)
})
await Effect.runPromise(Effect.scoped(main).pipe(Effect.provide(sideRuntime(settings))))
