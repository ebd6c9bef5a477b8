import { elementCount, float32, GraphBuilder, type Tensor } from "@tandem/onnx"
import type { RunFailed, Runtime } from "@tandem/runtime"
import { layer } from "@tandem/runtime/node/NodeRuntime"
import {
  adamW,
  asDrafted,
  type Batch,
  Checkpoints,
  type InvalidSettings,
  type Objective,
  type Program,
  type TrainEvent,
  type TrainOptions,
  train,
} from "@tandem/trainers"
import { Effect, Layer, type Scope } from "effect"

/** Numbers in −1 … 1. */
export const wave = (dims: readonly number[], seed: number): Tensor =>
  float32(
    dims,
    Array.from({ length: elementCount(dims) }, (_, index) => Math.sin((seed * 3 + index + 1) ** 2)),
  )

const truth = [2, -3, 0.5]

/** Examples `from` … `from + count − 1` of y = x · (2, −3, .5). */
export const examples = (from: number, count: number): Batch => {
  const rows = Array.from({ length: count }, (_, row) => Array.from(wave([3], from + row).data, Number))
  const targets = rows.map((row) => row.reduce((sum, value, index) => sum + value * truth[index]!, 0))
  return {
    key: `${count}`,
    tensors: { x: float32([count, 3], rows.flat()), y: float32([count, 1], targets) },
    examples: count,
  }
}

/** Mean of (x·w + bias − y)² over a batch, where wanted with dropout on x. */
export const program = ({ examples: count }: Batch, rate = 0): Program => {
  const g = new GraphBuilder()
  const x = g.input("x", "float32", [count, 3])
  const y = g.input("y", "float32", [count, 1])
  const [w, bias] = [g.input("w", "float32", [3, 1]), g.input("bias", "float32", [1, 1])]
  const scaled = g.mul(x, g.scalar(1 / (1 - rate)))
  const seen = rate === 0 ? x : g.where(g.input("mask", "bool", [count, 3]), scaled, g.scalar(0))
  const error = g.sub(g.add(g.matmul(seen, w), bias), y)
  const loss = g.reduceMean(g.mul(error, error), [0, 1], false)
  const largest = g.reduceMax(g.abs(error), [0, 1], false)
  return {
    graph: g.build({ loss, largest }, "regression"),
    loss: "loss",
    dropout: rate === 0 ? [] : [{ input: "mask", rate }],
  }
}

export const start: ReadonlyMap<string, Tensor> = new Map([
  ["w", float32([3, 1], [0.1, 0.2, 0.3])],
  ["bias", float32([1, 1], [0.25])],
])

type Regression = Objective<Batch, Batch, RunFailed | InvalidSettings, Runtime>
type Settings = TrainOptions<never>

/** What a run of the regression may be told: any part of its objective and of the options. */
export interface Options extends Partial<Regression>, Partial<Settings> {}

/** Objective and options of a run of `steps` steps that trains `w` and keeps `bias`; `over` changes them. */
export const runOf = (events: TrainEvent[], steps: number, over: Options = {}): readonly [Regression, Settings] => [
  {
    name: "regression",
    parameters: start,
    trainable: ["w"],
    draftsPerEpoch: 10,
    draft: (index) => Effect.sync(() => examples(index * 4, 4)),
    complete: asDrafted,
    program: (batch) => Effect.sync(() => program(batch)),
    ...over,
  },
  {
    optimizer: adamW(),
    weightDecay: 0,
    schedule: { kind: "constant", learningRate: 0.05, warmupSteps: 0, steps },
    seed: 1,
    fingerprint: "regression",
    saveEverySteps: 5,
    resume: false,
    emit: (event) => Effect.sync(() => void events.push(event)),
    ...over,
  },
]

/** Runs on the CPU with checkpoints in memory, or with those given. */
export const onCpu = <A, E>(
  effect: Effect.Effect<A, E, Runtime | Checkpoints | Scope.Scope>,
  checkpoints: Layer.Layer<Checkpoints> = Checkpoints.layerMemory,
): Promise<A> =>
  Effect.runPromise(Effect.scoped(effect).pipe(Effect.provide(Layer.merge(layer({ threads: 1 }), checkpoints))))

/** A run with all of its events. */
export const run = async (steps: number, over: Options = {}, checkpoints?: Layer.Layer<Checkpoints>) => {
  const events: TrainEvent[] = []
  const result = await onCpu(train(...runOf(events, steps, over)), checkpoints)
  return { result, events, losses: lossesOf(events) }
}

export const lossesOf = (events: readonly TrainEvent[]): readonly number[] =>
  events.flatMap((event) => (event.event === "step" ? [event.loss] : []))

export const numbers = (tensor: Tensor | undefined): readonly number[] => Array.from(tensor?.data ?? [], Number)
