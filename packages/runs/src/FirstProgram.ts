import { type InvalidLora, influences } from "@tandem/autodiff"
import { partOf } from "@tandem/onnx"
import { type Buffer, type RunFailed, Runtime } from "@tandem/runtime"
import { type Batch, type Objective, type Program, trainableNames, withGradients } from "@tandem/trainers"
import { Effect } from "effect"
import { adaptationOf, adaptedObjective } from "./Adapt.ts"
import { SettingsError } from "./Errors.ts"
import type { RunServices, TrainPlan } from "./TrainPlan.ts"
import type { TrainSettings } from "./TrainSettings.ts"

/**
 * The objective with the names that are trained, and with the adapters that settings ask for; its first program is
 * differentiated, and kept until it is asked for once.
 */
export const firstDifferentiated = Effect.fnUntraced(function* <D, B extends Batch, E>(
  { objective: given, example: wantedBatch }: TrainPlan<D, B, E>,
  settings: TrainSettings,
) {
  const plain = settings.recompute ? recomputed(given) : given
  const { train: parts, freeze } = settings
  const named = yield* trainableNames([...plain.parameters.keys()], {
    freeze,
    ...(parts === undefined ? {} : { train: parts }),
  })
  const example = yield* wantedBatch === undefined ? firstBatch(plain) : wantedBatch
  const base = yield* plain.program(example)
  const adaptation = yield* adaptationOf(base, plain.parameters, named, settings)
  const objective: TrainPlan<D, B, E | InvalidLora | RunFailed>["objective"] =
    adaptation === undefined ? plain : adaptedObjective(plain, adaptation)
  const program = adaptation === undefined ? base : yield* adaptation.program(base)
  const wanted = adaptation?.trainable ?? named
  const { parameters } = objective
  // An ONNX file can hold tensors that the loss does not depend on; a part of which it reaches nothing is a mistake.
  const trainable = influences(program.graph, program.loss, wanted)
  const lost = [...new Set(wanted.map(partOf))].find((part) => !trainable.some((name) => partOf(name) === part))
  if (lost !== undefined) {
    return yield* new SettingsError({
      message: `the loss of ${objective.name} does not reach the part ${lost}, so it cannot be trained`,
      field: "train",
      expected: "parts that the loss depends on",
      found: lost,
      hint: "freeze it, or see where the loss is cut off from it",
    })
  }
  const first = yield* withGradients(program, new Map(trainable.map((name) => [name, parameters.get(name)!])))
  let kept: Program | undefined = first
  const programFor = (batch: B): Effect.Effect<Program, E | InvalidLora | RunFailed, RunServices> => {
    if (kept === undefined || batch.key !== example.key) return objective.program(batch)
    const program = kept
    kept = undefined
    return Effect.succeed(program)
  }
  const ready: Objective<D, B, E | InvalidLora | RunFailed, RunServices> = {
    ...objective,
    trainable,
    program: programFor,
  }
  return { objective: ready, adaptation }
})

/** The objective with programs that keep less of the forward pass. */
const recomputed = <D, B extends Batch, E>(objective: TrainPlan<D, B, E>["objective"]): typeof objective => ({
  ...objective,
  program: (batch) => Effect.map(objective.program(batch), (program): Program => ({ ...program, recompute: "auto" })),
})

/** The first batch with the weights that the models brought; what the objective remembers is put back afterwards. */
const firstBatch = Effect.fnUntraced(function* <D, B extends Batch, E>({
  parameters,
  draft,
  complete,
  states = [],
}: TrainPlan<D, B, E>["objective"]): Effect.fn.Return<B, E | RunFailed, RunServices> {
  const { upload } = yield* Runtime
  const weights: Record<string, Buffer> = {}
  for (const [name, value] of parameters) weights[name] = yield* upload(value)
  const before = yield* Effect.forEach(states, ({ save }) => save)
  const [batch] = yield* complete(yield* draft(0), { step: 0, weights })
  for (const [index, { restore }] of states.entries()) yield* restore(before[index]!)
  return batch
}, Effect.scoped)
