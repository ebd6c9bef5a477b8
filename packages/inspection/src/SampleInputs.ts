import { consumers, elementCount, type Graph, type Tensor, toInt64, type Value, zeros } from "@tandem/onnx"
import { uniforms, xorshift128 } from "@tandem/random"
import { InvalidReference } from "./Errors.ts"

/** Sizes of inputs that are made up. */
export interface SampleShape {
  /** Rows (default 2). */
  readonly batch?: number
  /** Tokens a row (default 8). */
  readonly length?: number
  readonly seed?: number
}

/**
 * Values for the inputs of a transformer's graph, made from what the graph declares: token ids within the table that
 * they look up, a mask whose last row is shorter, positions, caches of length 0, random floats. `given` tensors are
 * taken as they are, and dimensions of the same name elsewhere follow them.
 *
 * An input whose shape cannot be guessed ends in `InvalidReference`.
 */
export const sampleInputs = (
  graph: Graph,
  given: ReadonlyMap<string, Tensor> = new Map(),
  shape: SampleShape = {},
): Readonly<Record<string, Tensor>> => {
  const random = uniforms(xorshift128(shape.seed ?? 0))
  const dimsOf = sampleShapes(graph, given, shape)
  const rows = tableRows(graph)
  return Object.fromEntries(
    graph.inputs.map((input) => {
      const { name } = input
      const known = given.get(name)
      if (known !== undefined) return [name, fitInput(input, known)]
      const dims = dimsOf[name]!
      if (elementCount(dims) > mostSamples) {
        throw new InvalidReference({
          message: `a value for the model's input ${name} is too large to be made up`,
          tensor: `in.${name}`,
          expected: `at most ${mostSamples} elements`,
          found: `${input.type}[${dims}]`,
          hint: "give values for the inputs (`inputs`)",
        })
      }
      return [name, { type: input.type ?? "float32", dims, data: sampleData(input, dims, rows.get(name), random) }]
    }),
  )
}

/** More elements than this are not made up. */
const mostSamples = 2 ** 28

/** The static dimensions of what `sampleInputs` makes up; of `given` tensors their own. */
export const sampleShapes = (
  graph: Graph,
  given: ReadonlyMap<string, Tensor> = new Map(),
  shape: SampleShape = {},
): Readonly<Record<string, readonly number[]>> => {
  const sizes = new Map<string, number>()
  for (const { name, dims } of graph.inputs) {
    for (const [axis, dim] of (dims ?? []).entries()) {
      const size = given.get(name)?.dims[axis]
      if (typeof dim === "string" && !dim.startsWith("?") && size !== undefined) sizes.set(dim, size)
    }
  }
  return Object.fromEntries(
    graph.inputs.map((input) => [input.name, given.get(input.name)?.dims ?? sampleDims(input, sizes, shape)]),
  )
}

/** The static dimensions that `sampleInputs` gives an input. */
const sampleDims = (input: Value, sizes: Map<string, number>, { batch = 2, length = 8 }: SampleShape): number[] => {
  if (input.dims === undefined || input.type === undefined || input.type === "string") {
    throw new InvalidReference({
      message: `a value for the model's input ${input.name} cannot be made up: its shape is not declared`,
      tensor: `in.${input.name}`,
      found: `${input.type ?? "?"}[${input.dims ?? "?"}]`,
      hint: "give values for the inputs (`inputs`)",
    })
  }
  return input.dims.map((dim, axis) => {
    if (typeof dim === "number") return dim
    const known = sizes.get(dim)
    if (known !== undefined) return known
    if (/past/i.test(input.name) && /past|sequence|length|seq|^\?2$/i.test(dim)) return 0
    if (/past/i.test(dim) && !/\+|total/i.test(dim)) return 0
    if (/batch/i.test(dim)) return batch
    if (/channel/i.test(dim)) return 3
    if (/height|width/i.test(dim)) return 32
    if (/seq|length|token|total/i.test(dim)) return length
    return axis === 0 ? batch : length
  })
}

type Data = Exclude<Tensor["data"], readonly string[]>

const sampleData = (input: Value, dims: readonly number[], rows: number | undefined, random: () => number): Data => {
  const { name, type = "float32" } = input
  const data = zeros(type === "string" ? "float32" : type, elementCount(dims))
  const width = dims.at(-1) ?? 1
  const fill = (value: (index: number) => number): Data => {
    for (let i = 0; i < data.length; i++) put(data, i, value(i))
    return data
  }
  if (/use_cache/i.test(name)) return data
  // The last row is padded, so that masks matter.
  const padded = (index: number) => dims.length === 2 && dims[0]! > 1 && index >= data.length - Math.floor(width / 4)
  if (/mask/i.test(name)) return fill((index) => (padded(index) ? 0 : 1))
  if (type === "float32" || type === "float64") return fill(() => gaussian(random))
  if (type === "float16" || type === "bfloat16") return data
  if (type === "bool") return fill(() => 1)
  if (/position/i.test(name)) return fill((index) => index % width)
  if (/seqlens/i.test(name)) return data
  const top = rows ?? 2
  // Small ids are often special: padding, for one, which some models derive positions from.
  const low = top > 8 ? 3 : 0
  return fill(() => low + Math.floor(random() * (top - low)))
}

const gaussian = (random: () => number): number => {
  let sum = -6
  for (let i = 0; i < 12; i++) sum += random()
  return sum
}

/** For inputs that look rows up in weights, the rows of the smallest such table. */
const tableRows = (graph: Graph): ReadonlyMap<string, number> => {
  const readers = consumers(graph)
  const passing = new Set(["Cast", "Reshape", "Unsqueeze", "Squeeze", "Flatten", "Identity"])
  const rowsBehind = (input: string): number => {
    let fewest = Number.POSITIVE_INFINITY
    const open = [input]
    for (let name = open.pop(); name !== undefined; name = open.pop()) {
      for (const node of readers.get(name) ?? []) {
        if (node.op === "Gather" && node.inputs[1] === name) {
          fewest = Math.min(fewest, graph.initializers.get(node.inputs[0] ?? "")?.dims[0] ?? fewest)
        } else if (passing.has(node.op) && node.inputs[0] === name) open.push(node.outputs[0] ?? "")
      }
    }
    return fewest
  }
  return new Map(
    graph.inputs.flatMap(({ name }) => {
      const rows = rowsBehind(name)
      return Number.isFinite(rows) ? [[name, rows] as const] : []
    }),
  )
}

const put = (data: Data, index: number, value: number): void => {
  if (data instanceof BigInt64Array) data[index] = toInt64(value)
  else if (data instanceof BigUint64Array) data[index] = BigInt.asUintN(64, toInt64(value))
  else data[index] = value
}

/**
 * A tensor of a reference in the type that the model's input wants: integers and truth values are converted into one
 * another, floats to 32 bits. A missing tensor, and one that does not fit the input's static dimensions, end in
 * `InvalidReference`.
 */
export const fitInput = (input: Value, given: Tensor | undefined): Tensor => {
  const tensor = `in.${input.name}`
  const expected = `${input.type}[${input.dims ?? "?"}]`
  if (given === undefined) {
    throw new InvalidReference({ message: `there is no value for the model's input ${input.name}`, tensor, expected })
  }
  const fits =
    input.dims === undefined ||
    (input.dims.length === given.dims.length &&
      input.dims.every((dim, index) => typeof dim === "string" || dim === given.dims[index]))
  const { type = given.type } = input
  if (!fits || type === "string" || given.type === "string") {
    const found = `${given.type}[${given.dims}]`
    throw new InvalidReference({ message: `${tensor} does not fit the model's input`, tensor, expected, found })
  }
  if (type === given.type) return given
  const data = zeros(type, given.data.length)
  for (let i = 0; i < data.length; i++) put(data, i, Number(given.data[i]))
  return { type, dims: given.dims, data }
}
