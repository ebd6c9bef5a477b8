import { InvalidRunError } from "@tandem/runs"
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

const Command = Schema.Struct({ command: Schema.String })

/** How a joint run was trained to answer; a run of another kind ends in `InvalidRunError`. */
export const trainedAs = Effect.fnUntraced(function* (run: string) {
  const { command } = yield* readRecord(runPaths(run).config, Command)
  if (command !== "joint train") {
    return yield* new InvalidRunError({
      message: `${run} was made by tandem ${command}`,
      file: runPaths(run).config,
      field: "run",
      expected: "a run of tandem joint train",
      found: command,
    })
  }
  const { retriever, generator } = yield* readRecord(runPaths(run).config, RunConfig)
  return { ...generator, temperature: retriever.temperature }
})
