import type { Decoding } from "@tandem/models"
import { type Graph, GraphBuilder, int, int64, type Tensor } from "@tandem/onnx"
import { Runtime } from "@tandem/runtime"
import { Effect, Scope } from "effect"

/** A graph that is compiled when it is first needed, and lives as long as the scope. */
export const compiledLater = Effect.fnUntraced(function* (make: () => Graph) {
  const runtime = yield* Runtime
  const scope = yield* Effect.scope
  return yield* Effect.cached(
    Effect.suspend(() => runtime.compile(make())).pipe(Effect.provideService(Scope.Scope, scope)),
  )
})

/** Inputs of a decoding graph that are no weights. */
export const isData = (name: string): boolean => /^(past|prefix)\.\d+\.(key|value)$/.test(name) || data.has(name)

const data: ReadonlySet<string> = new Set([
  "input_ids",
  "attention_mask",
  "position_ids",
  "tokens_at",
  "places",
  "cache_places",
  "cache_positions",
  "prefix_positions",
  "place_positions",
  "prefix_of",
  "logit_tokens",
  "targets",
])

/**
 * The graph with `normalizers` `[wanted, 1]`, log Σ exp of each row of logits, and `log_probabilities` `[wanted, 1]` of the
 * further input `targets` `[wanted, 1] int64`.
 */
export const withLikelihoods = (graph: Graph): Graph => {
  const g = new GraphBuilder()
  const { outputs } = g.callWithInputs(graph)
  const logits = outputs["logits"]!
  const targets = g.input("targets", "int64", ["wanted", 1])
  const normalizers = g.reduceLogSumExp(logits, [1])
  const chosen = g.op("GatherElements", [logits, targets], { attributes: { axis: int(1) } })[0]!
  return g.build({ ...outputs, normalizers, log_probabilities: g.sub(chosen, normalizers) }, graph.name)
}

/** Caches with their rows in the order that the input `parents` `[rows] int64` says. */
export const reorderGraph = ({ caches }: Decoding): Graph => {
  const g = new GraphBuilder()
  const parents = g.input("parents", "int64", ["rows"])
  const outputs = caches.flatMap(({ heads, headSize }, layer) =>
    ["key", "value"].map((part) => {
      const past = g.input(`past.${layer}.${part}`, "float32", ["rows", heads, "cache", headSize])
      return [`present.${layer}.${part}`, g.gather(past, parents)] as const
    }),
  )
  return g.build(Object.fromEntries(outputs), "reorder")
}

export const whole = (values: readonly number[]): Tensor => int64([values.length], values)

/** The input `targets`: of each row of logits the token whose likelihood is wanted, or any. */
export const column = (values: readonly number[]): Tensor => int64([values.length, 1], values)

export const floats = (tensor: Tensor | undefined): Float32Array =>
  tensor?.data instanceof Float32Array ? tensor.data : new Float32Array(0)

/** `values`, as many for each row as `counts` says. */
export const byRow = (values: Float32Array, counts: readonly number[]): readonly (readonly number[])[] => {
  let read = 0
  return counts.map((count) => {
    read += count
    return [...values.subarray(read - count, read)]
  })
}
