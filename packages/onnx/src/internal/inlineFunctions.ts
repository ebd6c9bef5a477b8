import { clone, create, type Message } from "@bufbuild/protobuf"
import type { GenMessage } from "@bufbuild/protobuf/codegenv2"
import { InvalidModel } from "../Errors.ts"
import {
  type AttributeProto,
  AttributeProto_AttributeType,
  AttributeProtoSchema,
  type FunctionProto,
  type GraphProto,
  GraphProtoSchema,
  type ModelProto,
  type NodeProto,
  NodeProtoSchema,
  TensorProtoSchema,
  type ValueInfoProto,
  ValueInfoProtoSchema,
} from "../gen/onnx_pb.js"

/** Nodes that the functions of one model may unfold to; a chain of functions that double could ask for any number. */
const largestUnfolding = 250_000

/** Functions inside functions; no exporter nests deeper than a handful. */
const deepestNesting = 64

/**
 * The main graph of a model with every function that the model defines itself put in the place of its calls, in
 * subgraphs too. Values inside a function get the caller's name before theirs, attribute references the value that the
 * caller gives or the function's default. By ONNX's rules the operators of a function mean the same in the operator
 * sets of the model as in those that the function names, so nothing else changes. Functions that call themselves, and
 * ones that unfold without measure, are `InvalidModel`.
 */
export const inlineFunctions = (model: ModelProto, main: GraphProto): GraphProto => {
  if (model.functions.length === 0) return main
  return new Inliner(model.functions).graph(main, unchanged, new Map(), [])
}

/** The message under another name; the one in hand stays, because a function's body serves many calls. */
const named = <A extends Message & { name: string }>(schema: GenMessage<A>, message: A, name: string): A => {
  if (message.name === name) return message
  const copy = clone(schema, message)
  copy.name = name
  return copy
}

type Rename = (name: string) => string
type Bindings = ReadonlyMap<string, AttributeProto>

const unchanged: Rename = (name) => name

const keyOf = (domain: string, name: string, overload: string): string =>
  `${domain === "ai.onnx" ? "" : domain}:${name}:${overload}`

class Inliner {
  readonly #functions: ReadonlyMap<string, FunctionProto>
  #made = 0
  #calls = 0

  constructor(functions: readonly FunctionProto[]) {
    this.#functions = new Map(functions.map((entry) => [keyOf(entry.domain, entry.name, entry.overload), entry]))
  }

  graph(proto: GraphProto, rename: Rename, bindings: Bindings, stack: readonly FunctionProto[]): GraphProto {
    const value = (entry: ValueInfoProto) => named(ValueInfoProtoSchema, entry, rename(entry.name))
    return create(GraphProtoSchema, {
      name: proto.name,
      node: proto.node.flatMap((node) => this.node(node, rename, bindings, stack)),
      input: proto.input.map(value),
      output: proto.output.map(value),
      valueInfo: proto.valueInfo.map(value),
      initializer: proto.initializer.map((entry) => named(TensorProtoSchema, entry, rename(entry.name))),
      sparseInitializer: proto.sparseInitializer,
    })
  }

  node(proto: NodeProto, rename: Rename, bindings: Bindings, stack: readonly FunctionProto[]): readonly NodeProto[] {
    if (++this.#made > largestUnfolding) {
      throw new InvalidModel({
        message: `the model's functions unfold to more than ${largestUnfolding} nodes`,
        node: proto.name,
        expected: `at most ${largestUnfolding}`,
      })
    }
    const { opType, domain, overload, name } = proto
    const node = create(NodeProtoSchema, {
      opType,
      domain,
      overload,
      name,
      input: proto.input.map(rename),
      output: proto.output.map(rename),
      attribute: proto.attribute.flatMap((entry) => this.attribute(entry, rename, bindings, stack)),
    })
    const body = this.#functions.get(keyOf(proto.domain, proto.opType, proto.overload))
    return body === undefined ? [node] : this.call(node, body, stack)
  }

  attribute(
    proto: AttributeProto,
    rename: Rename,
    bindings: Bindings,
    stack: readonly FunctionProto[],
  ): readonly AttributeProto[] {
    if (proto.refAttrName !== "") {
      // An attribute that the caller leaves out, and that has no default, is left out here too
      const bound = bindings.get(proto.refAttrName)
      return bound === undefined ? [] : [named(AttributeProtoSchema, bound, proto.name)]
    }
    if (proto.type !== AttributeProto_AttributeType.GRAPH || proto.g === undefined) return [proto]
    const { name, type } = proto
    return [create(AttributeProtoSchema, { name, type, g: this.graph(proto.g, rename, bindings, stack) })]
  }

  call(node: NodeProto, body: FunctionProto, stack: readonly FunctionProto[]): readonly NodeProto[] {
    if (stack.includes(body) || stack.length >= deepestNesting) {
      const chain = [...stack, body].map((entry) => entry.name)
      throw new InvalidModel({
        message: `the model's function ${body.name} calls itself`,
        node: node.name,
        found: chain.slice(-4).join(" → "),
      })
    }
    if (node.input.length > body.input.length || node.output.length > body.output.length) {
      throw new InvalidModel({
        message: `node ${node.name} gives function ${body.name} more than it has`,
        node: node.name,
        expected: `at most ${body.input.length} inputs and ${body.output.length} outputs`,
        found: `${node.input.length} and ${node.output.length}`,
      })
    }
    const prefix = `${node.name === "" ? body.name : node.name}/${this.#calls++}/`
    const names = new Map<string, string>([["", ""]])
    for (const [index, formal] of body.output.entries()) {
      const actual = node.output[index] ?? ""
      if (actual !== "") names.set(formal, actual)
    }
    for (const [index, formal] of body.input.entries()) names.set(formal, node.input[index] ?? "")
    const rename: Rename = (name) => names.get(name) ?? `${prefix}${name}`
    const given = [...body.attributeProto, ...node.attribute].map((entry) => [entry.name, entry] as const)
    const nodes = body.node.flatMap((inner) =>
      this.node(
        named(NodeProtoSchema, inner, `${prefix}${inner.name === "" ? inner.opType : inner.name}`),
        rename,
        new Map(given),
        [...stack, body],
      ),
    )
    // An output that is one of the function's own inputs
    const copies = body.output.flatMap((formal, index) => {
      const actual = node.output[index] ?? ""
      if (actual === "" || !body.input.includes(formal)) return []
      return [
        create(NodeProtoSchema, {
          opType: "Identity",
          name: `${prefix}${formal}`,
          input: [rename(formal)],
          output: [actual],
        }),
      ]
    })
    return [...nodes, ...copies]
  }
}
