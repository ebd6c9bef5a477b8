import type { ElementType, Tensor } from "./Tensor.ts"

/** A dimension: a size, or the name of one that is only known at run time. */
export type Dim = number | string

/** A shape; dimensions may be symbolic. */
export type Dims = readonly Dim[]

/** A named value of a graph, with what is known of its type and shape. */
export interface Value {
  readonly name: string
  readonly type: ElementType | undefined
  readonly dims: Dims | undefined
}

/** A node attribute, tagged, because ONNX tells 1 from 1.0. */
export type Attribute =
  | { readonly kind: "int"; readonly value: number }
  | { readonly kind: "float"; readonly value: number }
  | { readonly kind: "string"; readonly value: string }
  | { readonly kind: "ints"; readonly value: readonly number[] }
  | { readonly kind: "floats"; readonly value: readonly number[] }
  | { readonly kind: "strings"; readonly value: readonly string[] }
  | { readonly kind: "tensor"; readonly value: Tensor }
  | { readonly kind: "graph"; readonly value: Graph }

export type Attributes = Readonly<Record<string, Attribute>>

/** One operator application. An absent optional input or output is the empty name. */
export interface Node {
  readonly op: string
  /** The operator set, `""` for ONNX's own. */
  readonly domain: string
  readonly name: string
  readonly inputs: readonly string[]
  readonly outputs: readonly string[]
  readonly attributes: Attributes
}

/** An immutable ONNX graph; `nodes` stand in an order in which every value is made before it is used. */
export interface Graph {
  readonly name: string
  readonly inputs: readonly Value[]
  readonly outputs: readonly Value[]
  readonly nodes: readonly Node[]
  readonly initializers: ReadonlyMap<string, Tensor>
  /** What is known of the values between inputs and outputs, by name. */
  readonly values: ReadonlyMap<string, Value>
  /** Version of each operator set in use, by domain. */
  readonly opsets: ReadonlyMap<string, number>
}

/** The operator of a node, as tables and messages name it: `MatMul`, and outside ONNX's own set `com.microsoft.Gelu`. */
export const operatorName = ({ op, domain }: Pick<Node, "op" | "domain">): string =>
  domain === "" ? op : `${domain}.${op}`

export const int = (value: number): Attribute => ({ kind: "int", value })
export const float = (value: number): Attribute => ({ kind: "float", value })
export const string = (value: string): Attribute => ({ kind: "string", value })
export const ints = (value: readonly number[]): Attribute => ({ kind: "ints", value })

/** The integer attribute of that name, or `fallback` where it is absent. */
export const intAttribute = (node: { readonly attributes: Attributes }, name: string, fallback: number): number => {
  const attribute = node.attributes[name]
  return attribute?.kind === "int" ? attribute.value : fallback
}

/** The float attribute of that name, or `fallback` where it is absent. */
export const floatAttribute = (node: { readonly attributes: Attributes }, name: string, fallback: number): number => {
  const attribute = node.attributes[name]
  return attribute?.kind === "float" ? attribute.value : fallback
}

/** The list of integers of that name, or undefined where it is absent. */
export const intsAttribute = (
  node: { readonly attributes: Attributes },
  name: string,
): readonly number[] | undefined => {
  const attribute = node.attributes[name]
  return attribute?.kind === "ints" ? attribute.value : undefined
}

/** The string attribute of that name, or `fallback` where it is absent. */
export const stringAttribute = (node: { readonly attributes: Attributes }, name: string, fallback: string): string => {
  const attribute = node.attributes[name]
  return attribute?.kind === "string" ? attribute.value : fallback
}

/** The node that makes each value. */
export const producers = (graph: Pick<Graph, "nodes">): Map<string, Node> => {
  const result = new Map<string, Node>()
  for (const node of graph.nodes) for (const output of node.outputs) if (output !== "") result.set(output, node)
  return result
}

/** The nodes that read each value, subgraphs left aside. */
export const consumers = (graph: Pick<Graph, "nodes">): Map<string, Node[]> => {
  const result = new Map<string, Node[]>()
  for (const node of graph.nodes) {
    for (const input of new Set(node.inputs)) {
      if (input === "") continue
      const readers = result.get(input)
      if (readers === undefined) result.set(input, [node])
      else readers.push(node)
    }
  }
  return result
}

/** Values of the enclosing graph that a node reads: its inputs and what its subgraphs capture. */
export const reads = (node: Node): string[] => {
  const names = node.inputs.filter((name) => name !== "")
  for (const attribute of Object.values(node.attributes)) {
    if (attribute.kind === "graph") for (const name of captures(attribute.value)) names.push(name)
  }
  return names
}

const captures = (graph: Graph): string[] => {
  const own = new Set([...graph.inputs.map((value) => value.name), ...graph.initializers.keys()])
  for (const node of graph.nodes) for (const output of node.outputs) own.add(output)
  const outside = [...graph.nodes.flatMap(reads), ...graph.outputs.map((value) => value.name)]
  return outside.filter((name) => !own.has(name))
}

/** What is known of a value, looked up among inputs, initializers, outputs and intermediates. */
export const describeValue = (graph: Graph, name: string): Value => {
  const initializer = graph.initializers.get(name)
  if (initializer !== undefined) return { name, type: initializer.type, dims: initializer.dims }
  const known = named(graph.inputs, name) ?? graph.values.get(name) ?? named(graph.outputs, name)
  return known ?? { name, type: undefined, dims: undefined }
}

/** The first value of that name in a list, which is indexed where it is long: models may have any number of inputs. */
const named = (values: readonly Value[], name: string): Value | undefined => {
  if (values.length < 16) return values.find((value) => value.name === name)
  let index = indexes.get(values)
  if (index === undefined || index.length !== values.length) {
    index = { length: values.length, byName: new Map(values.toReversed().map((value) => [value.name, value])) }
    indexes.set(values, index)
  }
  return index.byName.get(name)
}

/** By list; one that a builder has added to since is indexed again. */
const indexes = new WeakMap<
  readonly Value[],
  { readonly length: number; readonly byName: ReadonlyMap<string, Value> }
>()

/** A shape whose dimensions are all numbers, or undefined. */
export const staticDims = (dims: Dims | undefined): readonly number[] | undefined => {
  if (dims === undefined) return undefined
  const numbers = dims.filter((dim) => typeof dim === "number")
  return numbers.length === dims.length ? numbers : undefined
}
