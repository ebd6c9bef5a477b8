import type { Graph, Tensor } from "@tandem/onnx"
import { type Buffer, type RunFailed, Runtime, singleInMemory } from "@tandem/runtime"
import { Effect, Scope } from "effect"
import type { Checkpoint } from "./Checkpoint.ts"
import { CheckpointFailed, InvalidSettings } from "./Errors.ts"
import type { Optimizer } from "./Optimizer.ts"

/** The tensors of a run where the runtime keeps them. */
export interface ResidentState {
  /** All parameters, trained and frozen, by name. */
  readonly weights: Readonly<Record<string, Buffer>>
  readonly trainable: readonly string[]
  readonly gradients: readonly Buffer[]
  /** For large tables, whose gradients are added up by rows: which rows of the gradient may differ from 0. */
  readonly touched: readonly (Buffer | undefined)[]
  /** The optimizer's memory, slot by slot, each in the order of `trainable`. */
  readonly slots: Readonly<Record<string, readonly Buffer[]>>
  /** Sums over several passes; made when they are first asked for. */
  readonly sums: Effect.Effect<readonly Buffer[], RunFailed>
}

/** From how many rows on a parameter's gradient is taken by rows where it comes of look-ups. */
const largeTable = 1024

/** Whether a parameter of this shape is a table whose gradient is taken by rows where it comes of look-ups. */
export const isLargeTable = ([rows = 0, ...rest]: readonly number[]): boolean => rows > largeTable && rest.length > 0

export interface ResidentOptions {
  /** Has memory for its slots here; without one there is none, and nothing can be updated. */
  readonly optimizer?: Optimizer
  /** Weights and memory of a run that goes on. */
  readonly restored?: Pick<Checkpoint, "weights" | "slots"> | undefined
  /** The memory of trained parameters goes to the runtime, too, where no other parameter lies in it. */
  readonly handOver?: boolean
}

/** Puts parameters and empty (or restored) memory of the optimizer into the runtime for as long as the scope lives. */
export const residentState = Effect.fnUntraced(function* (
  parameters: ReadonlyMap<string, Tensor>,
  trainable: readonly string[],
  { optimizer, restored, handOver = false }: ResidentOptions = {},
): Effect.fn.Return<ResidentState, RunFailed | InvalidSettings | CheckpointFailed, Runtime | Scope.Scope> {
  const runtime = yield* Runtime
  const weights: Record<string, Buffer> = {}
  const given = handOver ? trainedAlone(parameters, trainable) : new Set<Tensor>()
  for (const name of trainable) yield* checkTrainable(name, parameters.get(name))
  for (const name of restored === undefined ? [] : trainable) {
    const dims = parameters.get(name)?.dims ?? []
    yield* checkRestored("weights", name, dims, restored?.weights)
    for (const [slot, shape] of Object.entries(optimizer?.slots ?? {})) {
      yield* checkRestored(slot, name, shape(dims), restored?.slots[slot])
    }
  }
  for (const [name, tensor] of parameters) {
    const known = restored?.weights.get(name) ?? tensor
    weights[name] = yield* runtime.upload(known, { handOver: given.has(known) })
  }
  const gradients: Buffer[] = []
  const touched: (Buffer | undefined)[] = []
  const slots: Record<string, Buffer[]> = {}
  const trained = trainable.map((name) => weights[name]!)
  for (const { dims } of trained) {
    gradients.push(yield* runtime.zeros("float32", dims))
    touched.push(isLargeTable(dims) ? yield* runtime.zeros("uint8", [dims[0]!]) : undefined)
  }
  for (const [slot, shape] of Object.entries(optimizer?.slots ?? {})) {
    slots[slot] = []
    for (const [index, { dims }] of trained.entries()) {
      const known = restored?.slots[slot]?.get(trainable[index]!)
      slots[slot].push(yield* known === undefined ? runtime.zeros("float32", shape(dims)) : runtime.upload(known))
    }
  }
  const scope = yield* Effect.scope
  const sums = yield* Effect.cached(
    Effect.forEach(trained, ({ dims }) => runtime.zeros("float32", dims)).pipe(
      Effect.provideService(Scope.Scope, scope),
    ),
  )
  return { weights, trainable, gradients, touched, slots, sums }
})

const checkTrainable = (name: string, parameter: Tensor | undefined): Effect.Effect<void, InvalidSettings> =>
  parameter?.type === "float32"
    ? Effect.void
    : Effect.fail(
        new InvalidSettings({
          message: `${name} cannot be trained`,
          tensor: name,
          expected: "a float32 parameter of the model",
          found: parameter?.type ?? "no such parameter",
        }),
      )

/** A checkpoint must hold every trained parameter, in every slot, in the model's shape. */
const checkRestored = (
  slot: string,
  name: string,
  dims: readonly number[],
  held: ReadonlyMap<string, Tensor> | undefined,
): Effect.Effect<void, CheckpointFailed> => {
  const found = held?.get(name)
  if (found?.type === "float32" && `${found.dims}` === `${dims}`) return Effect.void
  return Effect.fail(
    new CheckpointFailed({
      message: `the checkpoint does not fit the run: its ${slot} hold ${found === undefined ? "no" : "another shape of"} ${name}`,
      tensor: name,
      expected: `float32[${dims}]`,
      found: found === undefined ? "nothing" : `${found.type}[${found.dims}]`,
      hint: "go on with the version that began the run, or begin again in another folder",
    }),
  )
}

/** Trained parameters in whose memory no other parameter lies: two encoders may start from the same tensors. */
const trainedAlone = (parameters: ReadonlyMap<string, Tensor>, trainable: readonly string[]): ReadonlySet<Tensor> => {
  const single = singleInMemory(parameters.values())
  return new Set(trainable.flatMap((name) => parameters.get(name) ?? []).filter((each) => single.has(each)))
}

/** Copies what a checkpoint holds of the state out of the runtime. */
export const snapshot = Effect.fnUntraced(function* (
  state: ResidentState,
): Effect.fn.Return<Pick<Checkpoint, "weights" | "slots">, RunFailed, Runtime> {
  const runtime = yield* Runtime
  const copies = Effect.fnUntraced(function* (buffers: readonly Buffer[]) {
    const copied = new Map<string, Tensor>()
    for (const [index, name] of state.trainable.entries()) copied.set(name, yield* runtime.download(buffers[index]!))
    return copied
  })
  const weights = yield* copies(state.trainable.map((name) => state.weights[name]!))
  const slots: Record<string, ReadonlyMap<string, Tensor>> = {}
  for (const [slot, buffers] of Object.entries(state.slots)) slots[slot] = yield* copies(buffers)
  return { weights, slots }
})

/** Outputs of a graph that are one number. */
export const scalarOutputs = (graph: Graph): string[] =>
  graph.outputs.flatMap(({ name, dims }) => (dims?.every((dim) => dim === 1) === true ? [name] : []))
