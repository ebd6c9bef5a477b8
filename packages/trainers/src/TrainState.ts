import type { Graph, Tensor } from "@tandem/onnx"
import { type Buffer, type RunFailed, Runtime } from "@tandem/runtime"
import { Effect, type Scope } from "effect"
import type { Checkpoint } from "./Checkpoint.ts"
import { InvalidSettings } from "./Errors.ts"

/** The tensors of a run where the runtime keeps them. */
export interface ResidentState {
  /** All parameters, trained and frozen, by name. */
  readonly weights: Readonly<Record<string, Buffer>>
  readonly trainable: readonly string[]
  readonly gradients: readonly Buffer[]
  /** For large tables, whose gradients are added up by rows: which rows of the gradient may differ from 0. */
  readonly touched: readonly (Buffer | undefined)[]
  readonly first: readonly Buffer[]
  readonly second: readonly Buffer[]
  /** Sums over several batches; made only where gradients are accumulated. */
  readonly sums: readonly Buffer[]
}

/** From how many rows on a parameter's gradient is taken by rows where it comes of look-ups. */
const largeTable = 1024

/**
 * Puts parameters and empty (or restored) moments into the runtime for as long as the scope lives. With `handOver` the
 * memory of trained parameters goes there, too, where no other parameter lies in it.
 */
export const residentState = Effect.fnUntraced(function* (
  parameters: ReadonlyMap<string, Tensor>,
  trainable: readonly string[],
  accumulates: boolean,
  restored: Checkpoint | undefined,
  handOver = false,
): Effect.fn.Return<ResidentState, RunFailed | InvalidSettings, Runtime | Scope.Scope> {
  const runtime = yield* Runtime
  const weights: Record<string, Buffer> = {}
  const given = handOver ? trainedAlone(parameters, trainable) : new Set<Tensor>()
  for (const [name, tensor] of parameters) {
    const known = restored?.weights.get(name) ?? tensor
    weights[name] = yield* runtime.upload(known, { handOver: given.has(known) })
  }
  const gradients: Buffer[] = []
  const touched: (Buffer | undefined)[] = []
  const first: Buffer[] = []
  const second: Buffer[] = []
  const sums: Buffer[] = []
  for (const name of trainable) {
    const parameter = parameters.get(name)
    if (parameter === undefined || parameter.type !== "float32") {
      return yield* new InvalidSettings({
        message: `${name} cannot be trained`,
        tensor: name,
        expected: "a float32 parameter of the model",
        found: parameter?.type ?? "no such parameter",
      })
    }
    const { type, dims } = parameter
    const [rows = 0, ...rest] = dims
    const isTable = rows > largeTable && rest.length > 0
    const moment = (known: Tensor | undefined) =>
      known === undefined ? runtime.zeros(type, dims) : runtime.upload(known)
    gradients.push(yield* runtime.zeros(type, dims))
    touched.push(isTable ? yield* runtime.zeros("uint8", [rows]) : undefined)
    first.push(yield* moment(restored?.first.get(name)))
    second.push(yield* moment(restored?.second.get(name)))
    if (accumulates) sums.push(yield* runtime.zeros(type, dims))
  }
  return { weights, trainable, gradients, touched, first, second, sums }
})

/** Trained parameters in whose memory no other parameter lies: two encoders may start from the same tensors. */
const trainedAlone = (parameters: ReadonlyMap<string, Tensor>, trainable: readonly string[]): ReadonlySet<Tensor> => {
  const memory = ({ data }: Tensor) => (ArrayBuffer.isView(data) ? data.buffer : data)
  const times = new Map<unknown, number>()
  for (const each of parameters.values()) times.set(memory(each), (times.get(memory(each)) ?? 0) + 1)
  const trained = trainable.flatMap((name) => parameters.get(name) ?? [])
  return new Set(trained.filter((each) => times.get(memory(each)) === 1))
}

/** Copies what a checkpoint holds out of the runtime. */
export const snapshot = Effect.fnUntraced(function* (
  state: ResidentState,
): Effect.fn.Return<Pick<Checkpoint, "weights" | "first" | "second">, RunFailed, Runtime> {
  const runtime = yield* Runtime
  const weights = new Map<string, Tensor>()
  const first = new Map<string, Tensor>()
  const second = new Map<string, Tensor>()
  for (const [index, name] of state.trainable.entries()) {
    weights.set(name, yield* runtime.download(state.weights[name]!))
    first.set(name, yield* runtime.download(state.first[index]!))
    second.set(name, yield* runtime.download(state.second[index]!))
  }
  return { weights, first, second }
})

/** Outputs of a graph that are one number. */
export const scalarOutputs = (graph: Graph): string[] =>
  graph.outputs.flatMap(({ name, dims }) => (dims?.every((dim) => dim === 1) === true ? [name] : []))
