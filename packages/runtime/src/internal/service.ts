import { type Graph, staticDims, type Tensor, writeModel, writeModelExternal } from "@tandem/onnx"
import { Effect, type Scope } from "effect"
import { CompileFailed, RunFailed } from "../Errors.ts"
import type { Buffer, CompileOptions, Device, Executable, Feed, Provider, Runtime } from "../Runtime.ts"
import { nodesOnCpu } from "./nodesOnCpu.ts"
import type { Request, WireFeed } from "./protocol.ts"

/**
 * Sends a request to whoever owns ONNX Runtime and reads its answer. Memory in `given` may be handed over instead of
 * copied: the sender does not use it any more.
 */
export type Ask = <A>(
  request: Request,
  decode: (value: unknown) => A,
  given?: readonly ArrayBuffer[],
) => Effect.Effect<A, RunFailed>

/** A model of one node, to see whether a provider works. */
export const probe = (): Uint8Array =>
  writeModel({
    name: "probe",
    inputs: [{ name: "x", type: "float32", dims: [1] }],
    outputs: [{ name: "y", type: "float32", dims: [1] }],
    nodes: [{ op: "Neg", domain: "", name: "probe", inputs: ["x"], outputs: ["y"], attributes: {} }],
    initializers: new Map(),
    values: new Map(),
    opsets: new Map([["", 17]]),
  })

/** What goes with a model that is compiled once, to see whether it can be. */
export const alone = { weights: [], profile: undefined, quantizes: true, anyShape: false } as const

/** Of fewer bytes of constants nothing is gained by keeping them apart. */
const leastApart = 2 ** 24

const constantBytes = ({ initializers }: Graph): number =>
  [...initializers.values()].reduce((sum, { data }) => sum + (ArrayBuffer.isView(data) ? data.byteLength : 0), 0)

/** Providers that read weights beside a model, and what they are given of each: a copy to hand over, or the memory itself. */
const readsApart: Readonly<Partial<Record<Provider, (weight: Uint8Array) => Uint8Array>>> = {
  cpu: (weight) => weight.slice(),
  wasm: (weight) => weight,
}

/**
 * A model with its weights beside it: ONNX Runtime reads them where they are, where it would copy the bytes of a whole model
 * and take them apart first.
 */
const inParts = (graph: Graph, given: (weight: Uint8Array) => Uint8Array) => {
  const { model, files } = writeModelExternal(graph, { location: "weights", largestFile: 1 })
  const weights = [...files].flatMap(([path, pieces]) => pieces.map((piece) => ({ path, data: given(piece) })))
  return { model, weights }
}

/** What a provider is given in place of a graph that it may optimize, and of that graph's dropout masks. */
export type Form = (graph: Graph, masks: readonly string[]) => Graph

/**
 * The service over an owner of ONNX Runtime. A 64-bit input may be a 32-bit one in a provider's form of a graph, and a mask
 * one of bytes: the owner sees to it.
 */
export const service = (ask: Ask, device: Device, form: Form): Runtime["Service"] => {
  let executables = 0
  let buffers = 0
  const compile = Effect.fnUntraced(function* (
    graph: Graph,
    options: CompileOptions = {},
  ): Effect.fn.Return<Executable, CompileFailed, Scope.Scope> {
    const executable = executables++
    const { optimize = "all", masks = [], profile } = options
    const refused = (cause: unknown): CompileFailed =>
      new CompileFailed({
        message: `graph ${graph.name} does not compile: ${cause instanceof Error ? cause.message : String(cause)}`,
      })
    const formed = yield* Effect.try({ try: () => (optimize === "all" ? form(graph, masks) : graph), catch: refused })
    const anyShape = graph.inputs.some(({ dims }) => staticDims(dims) === undefined)
    const traits = { quantizes: quantizes(graph), anyShape }
    const compiled = Effect.suspend(() => {
      const apart = constantBytes(formed) < leastApart ? undefined : readsApart[device.provider]
      const { model, weights } =
        apart === undefined ? { model: writeModel(formed), weights: [] } : inParts(formed, apart)
      const given = [{ data: model }, ...weights].flatMap(memoryOf)
      return ask({ kind: "compile", executable, model, weights, optimize, profile, ...traits }, asStrings, given)
    })
    const left = yield* Effect.acquireRelease(Effect.mapError(compiled, refused), () =>
      Effect.ignore(ask({ kind: "release", executable }, () => undefined)),
    )
    const named = left.length === 0 || optimize === "none" ? [] : yield* nodesOnCpu(formed, leaves)
    const fallbacks = named.length === 0 ? left : named
    const knownShapes = new Map(
      graph.outputs.flatMap(({ name, type, dims }) => {
        const shape = type === "float32" ? staticDims(dims) : undefined
        return shape === undefined ? [] : [[name, [[name, shape] as const]] as const]
      }),
    )
    const run: Executable["run"] = (inputs, { into = {}, only } = {}) => {
      const returned = (only ?? graph.outputs.map((value) => value.name)).filter((name) => into[name] === undefined)
      return Effect.andThen(
        checkInputs(graph, inputs),
        ask(
          {
            kind: "run",
            executable,
            inputs: Object.fromEntries(Object.entries(inputs).map(([name, value]) => [name, toWire(value)])),
            into: Object.fromEntries(Object.entries(into).map(([name, buffer]) => [name, buffer.id])),
            returned,
            shapes: Object.fromEntries(returned.flatMap((name) => knownShapes.get(name) ?? [])),
          },
          asTensors,
        ),
      )
    }
    return { inputs: graph.inputs, outputs: graph.outputs, fallbacks, run }
  })
  const callEach: Runtime["Service"]["callEach"] = (kernel, parts) =>
    ask(
      {
        kind: "call",
        module: kernel.module,
        name: kernel.name,
        parts: parts.map(({ buffers: named, argument }) => ({
          buffers: Object.fromEntries(
            Object.entries(named).map(([name, list]) => [name, list.map((buffer) => buffer.id)]),
          ),
          argument,
        })),
      },
      asList,
    )
  /** Whether the provider leaves the nodes of a model to the CPU; false where it does not compile at all. */
  const leaves = (model: Uint8Array): Effect.Effect<boolean> =>
    ask(
      {
        kind: "compile",
        executable: -1,
        model,
        optimize: "none",
        ...alone,
      },
      asStrings,
    ).pipe(
      Effect.tap(() => ask({ kind: "release", executable: -1 }, () => undefined)),
      Effect.match({ onFailure: () => false, onSuccess: (found) => found.length > 0 }),
    )
  /** A buffer that a request makes under a new number, and that is freed with the scope. */
  const resident = (
    { type, dims }: Pick<Tensor, "type" | "dims">,
    make: (id: number) => { readonly request: Request; readonly given?: readonly ArrayBuffer[] },
  ) =>
    Effect.acquireRelease(
      Effect.suspend(() => {
        const id = buffers++
        const { request, given } = make(id)
        return ask(request, (): Buffer => ({ id, type, dims }), given)
      }),
      (buffer) => Effect.ignore(ask({ kind: "free", buffer: buffer.id }, () => undefined)),
    )
  return {
    device,
    compile,
    upload: (tensor, { handOver = false } = {}) =>
      resident(tensor, (id) => {
        const sent = ownArray(tensor)
        const given = handOver || sent !== tensor ? memoryOf(sent) : []
        return { request: { kind: "upload", buffer: id, tensor: sent }, given }
      }),
    zeros: (type, dims) => resident({ type, dims }, (id) => ({ request: { kind: "zeros", buffer: id, type, dims } })),
    write: (buffer, tensor) =>
      buffer.type === tensor.type && `${buffer.dims}` === `${tensor.dims}`
        ? ask({ kind: "upload", buffer: buffer.id, tensor: ownArray(tensor) }, () => undefined)
        : Effect.fail(
            new RunFailed({
              message: "a buffer was overwritten with a tensor of another type or shape",
              expected: `${buffer.type}[${buffer.dims}]`,
              found: `${tensor.type}[${tensor.dims}]`,
            }),
          ),
    download: (buffer) => ask({ kind: "download", buffer: buffer.id }, asTensor),
    call: (kernel, named, argument) => Effect.map(callEach(kernel, [{ buffers: named, argument }]), ([value]) => value),
    callEach,
  }
}

const toWire = (value: Feed): WireFeed => ("id" in value ? { buffer: value.id } : { tensor: ownArray(value) })

/** The tensor with an array of its own: a message copies the whole memory behind a view, such as a model's file. */
const ownArray = (tensor: Tensor): Tensor => {
  const { data } = tensor
  return ArrayBuffer.isView(data) && data.byteLength < data.buffer.byteLength
    ? { ...tensor, data: data.slice() }
    : tensor
}

/** The memory behind data that nobody else holds. */
const memoryOf = ({ data }: { readonly data: unknown }): readonly ArrayBuffer[] =>
  ArrayBuffer.isView(data) && data.buffer instanceof ArrayBuffer ? [data.buffer] : []

const checkInputs = (graph: Graph, inputs: Readonly<Record<string, Feed>>): Effect.Effect<void, RunFailed> => {
  for (const input of graph.inputs) {
    const given = inputs[input.name]
    const expected = `${input.type}[${input.dims}]`
    if (given === undefined) {
      return Effect.fail(new RunFailed({ message: `input ${input.name} is missing`, field: input.name, expected }))
    }
    const dims = staticDims(input.dims)
    if (given.type !== input.type || (dims !== undefined && `${dims}` !== `${given.dims}`)) {
      return Effect.fail(
        new RunFailed({
          message: `input ${input.name} does not fit the graph`,
          field: input.name,
          expected,
          found: `${given.type}[${given.dims}]`,
        }),
      )
    }
  }
  return Effect.void
}

const isTensor = (value: unknown): value is Tensor =>
  typeof value === "object" && value !== null && "type" in value && "dims" in value && "data" in value

const asTensor = (value: unknown): Tensor => {
  if (!isTensor(value)) throw new TypeError("the runtime's thread answered with something that is no tensor")
  return value
}

const asTensors = (value: unknown): Readonly<Record<string, Tensor>> =>
  Object.fromEntries(Object.entries(value ?? {}).map(([name, item]) => [name, asTensor(item)]))

const asList = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : [])

const asStrings = (value: unknown): readonly string[] => (Array.isArray(value) ? value.map(String) : [])

/** Whether a graph or one of its subgraphs holds a node that quantizes or dequantizes. */
const quantizes = ({ nodes }: Graph): boolean =>
  nodes.some(
    ({ op, attributes }) =>
      op.includes("uantizeLinear") ||
      Object.values(attributes).some((each) => each.kind === "graph" && quantizes(each.value)),
  )
