import { readRecord } from "@tandem/runs/node/RunFiles"
import { runPaths } from "@tandem/runs/node/RunFolder"
import { Effect, Schema } from "effect"

/** The part of a joint run's `config.json` that says how it answers. */
const RunConfig = Schema.Struct({
  format: Schema.Literal(1),
  retriever: Schema.Struct({ temperature: Schema.Number }),
  generator: Schema.Struct({
    kEval: Schema.Number,
    loss: Schema.Literals(["rag-token", "rag-sequence"]),
    renewEvery: Schema.optionalKey(Schema.NullOr(Schema.Number)),
  }),
})

/** How a joint run was trained to answer. */
export const trainedAs = Effect.fnUntraced(function* (run: string) {
  const { retriever, generator } = yield* readRecord(runPaths(run).config, RunConfig)
  return { ...generator, temperature: retriever.temperature }
})
