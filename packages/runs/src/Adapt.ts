import {
  addLora,
  InvalidLora,
  initialAdapters,
  type LoraAdapter,
  type LoraSettings,
  mergeAdapters,
} from "@tandem/autodiff"
import { partOf, type Tensor } from "@tandem/onnx"
import { type RunFailed, Runtime } from "@tandem/runtime"
import { asDrafted, type Batch, type Live, type Program, withAdapters } from "@tandem/trainers"
import { Effect, Exit } from "effect"
import { escaped, loraFor } from "./LoraSetting.ts"
import type { TrainPlan } from "./TrainPlan.ts"
import type { TrainSettings } from "./TrainSettings.ts"

/** Low-rank adapters of the parts that have some, in place of these parts' weights. */
export interface Adaptation {
  /** By part, as they were added to its linear layers; names are joint ones. */
  readonly parts: ReadonlyMap<string, { readonly settings: LoraSettings; readonly adapters: readonly LoraAdapter[] }>
  /** A and B of all adapters before training. */
  readonly values: ReadonlyMap<string, Tensor>
  /** Of the parameters that were to be trained, those that still are: of parts with adapters A and B alone. */
  readonly trainable: readonly string[]
  readonly program: (base: Program) => Effect.Effect<Program, InvalidLora>
  /**
   * Trained weights with adapters as those without: A and B are in the weights that they change. Those over weights in
   * blocks of few bits stay beside them, because blocks would lose what is smaller than half a step.
   */
  readonly merge: (trained: ReadonlyMap<string, Tensor>) => Effect.Effect<ReadonlyMap<string, Tensor>, InvalidLora>
  /**
   * Runs something with the adapters in the resident weights of the moment, which are put back afterwards: what encodes or
   * generates needs not know of adapters, but for those over blocks of few bits. Those of the parts that it reads; of all
   * where absent.
   */
  readonly whileMerged: <A, E, R>(
    live: Live,
    effect: Effect.Effect<A, E, R>,
    reads?: readonly string[],
  ) => Effect.Effect<A, E | InvalidLora | RunFailed, R | Runtime>
}

type Parameters = ReadonlyMap<string, Tensor>

/**
 * The adapters that settings ask for, on the linear layers of a program whose weights are to be trained; undefined where
 * they ask for none. Programs of other shapes get the same.
 */
export const adaptationOf = Effect.fnUntraced(function* (
  program: Program,
  parameters: Parameters,
  wanted: readonly string[],
  { lora, seed }: Pick<TrainSettings, "lora" | "seed">,
): Effect.fn.Return<Adaptation | undefined, InvalidLora> {
  const parts = new Map<string, { settings: LoraSettings; adapters: readonly LoraAdapter[] }>()
  for (const part of new Set(wanted.map(partOf))) {
    const asked = loraFor(lora, part)
    if (asked === undefined) continue
    const all = (yield* attempt(() => addLora(program.graph, asked))).adapters
    const frozen = all.filter(({ weight }) => !wanted.includes(weight)).map(({ module }) => module)
    const settings = { ...asked, exclude: [asked.exclude, ...frozen.map(escaped)].join("|") }
    parts.set(part, { settings, adapters: (yield* attempt(() => addLora(program.graph, settings))).adapters })
  }
  if (parts.size === 0) return undefined
  const adapters = [...parts.values()].flatMap((part) => part.adapters)
  const values = initialAdapters(adapters, seed)
  const beside = new Set(adapters.filter(({ quantized }) => quantized).flatMap(({ a, b }) => [a, b]))
  const byWeight = Map.groupBy(
    adapters.filter(({ quantized }) => !quantized),
    ({ weight }) => weight,
  )
  const mergedWeight = (weight: string, trained: Parameters) =>
    attempt(() => mergeAdapters(byWeight.get(weight) ?? [], parameters, trained).get(weight)!)
  return {
    parts,
    values,
    trainable: [...wanted.filter((name) => !parts.has(partOf(name))), ...values.keys()],
    program: (base) =>
      attempt(() => [...parts.values()].reduce((before, { settings }) => withAdapters(before, settings).program, base)),
    merge: Effect.fnUntraced(function* (trained) {
      const merged = new Map([...trained].filter(([name]) => !values.has(name) || beside.has(name)))
      for (const weight of byWeight.keys()) merged.set(weight, yield* mergedWeight(weight, trained))
      return merged
    }),
    whileMerged: Effect.fnUntraced(function* ({ weights }, effect, reads) {
      const isRead = (name: string) => reads === undefined || reads.includes(partOf(name))
      const read = [...byWeight.keys()].filter(isRead)
      if (read.length === 0) return yield* effect
      const { download, write } = yield* Runtime
      const trained = new Map<string, Tensor>()
      for (const name of values.keys()) if (isRead(name)) trained.set(name, yield* download(weights[name]!))
      const put = (of: (weight: string) => Effect.Effect<Tensor, InvalidLora>) =>
        Effect.forEach(read, (weight) => Effect.flatMap(of(weight), (value) => write(weights[weight]!, value)))
      const merged = put((weight) => mergedWeight(weight, trained))
      // Whatever ends it, failing or interrupted, the adapters' weights are apart again.
      const apart = put((weight) => Effect.succeed(parameters.get(weight)!))
      return yield* Effect.onExit(Effect.andThen(merged, effect), (exit) =>
        Exit.isSuccess(exit) ? Effect.orDie(apart) : Effect.ignore(apart),
      )
    }),
  }
})

/** An objective whose programs have adapters; what reads weights between steps sees them in the weights. */
export const adaptedObjective = <D, B extends Batch, E>(
  objective: TrainPlan<D, B, E>["objective"],
  adaptation: Adaptation,
): TrainPlan<D, B, E | InvalidLora | RunFailed>["objective"] => {
  const { complete, hooks = [], reads } = objective
  const readsNothing: unknown = asDrafted
  return {
    ...objective,
    parameters: new Map([...objective.parameters, ...adaptation.values]),
    complete:
      complete === readsNothing
        ? complete
        : (draft, live) => adaptation.whileMerged(live, complete(draft, live), reads),
    program: (batch) => Effect.flatMap(objective.program(batch), adaptation.program),
    hooks: hooks.map((hook) => ({ ...hook, run: (live) => adaptation.whileMerged(live, hook.run(live), reads) })),
  }
}

const attempt = <A>(body: () => A): Effect.Effect<A, InvalidLora> =>
  Effect.suspend(() => {
    try {
      return Effect.succeed(body())
    } catch (cause) {
      return cause instanceof InvalidLora ? Effect.fail(cause) : Effect.die(cause)
    }
  })
