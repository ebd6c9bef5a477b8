import {
  deadCode,
  describeValue,
  type Graph,
  inferShapes,
  int,
  type Node,
  producers,
  type Tensor,
  type Value,
} from "@tandem/onnx"
import { UnsupportedEncoder } from "../Errors.ts"
import { type EncoderConfig, embeddingSize } from "./Encoder.ts"

const knownInputs = ["input_ids", "attention_mask", "token_type_ids"]
const knownOutputs = ["last_hidden_state", "token_embeddings", "hidden_states"]

/**
 * The part of a model that makes token embeddings: inputs of `int64` and of every shape, the only output
 * `last_hidden_state`. Ids and masks that the model takes as other integers are converted inside.
 */
export const tokenEmbeddings = (graph: Graph, file: string): Graph => {
  const foreign = graph.inputs.find((input) => !knownInputs.includes(input.name))
  if (foreign !== undefined || !graph.inputs.some((input) => input.name === "input_ids")) {
    throw new UnsupportedEncoder({
      message: "the model takes other inputs than an encoder's",
      file,
      expected: knownInputs.join(", "),
      found: graph.inputs.map((input) => input.name).join(", "),
    })
  }
  for (const input of graph.inputs) requireFree(input, file)
  const output =
    knownOutputs
      .map((name) => graph.outputs.find((value) => value.name === name))
      .find((value) => value !== undefined) ?? graph.outputs.find((value) => value.dims?.length === 3)
  if (output === undefined || (output.dims !== undefined && output.dims.length !== 3)) {
    throw new UnsupportedEncoder({
      message: "the model has no token embeddings among its outputs",
      file,
      expected: `${knownOutputs.join(", ")}, of three dimensions`,
      found: graph.outputs.map(described).join(", "),
      hint: "export the model for feature extraction, without a head",
    })
  }
  return withWideInputs(deadCode(renamed({ ...graph, outputs: [output] }, output.name, "last_hidden_state")), file)
}

const described = ({ name, type, dims }: Value): string => `${name} ${type ?? "?"}[${dims ?? "?"}]`

/** Batches differ in rows and in tokens, so neither may be fixed. */
const requireFree = (input: Value, file: string): void => {
  if (!(input.dims ?? []).some((dim) => typeof dim === "number")) return
  throw new UnsupportedEncoder({
    message: `the model takes ${input.name} in one shape alone`,
    file,
    field: input.name,
    expected: "[batch, sequence], both of any size",
    found: `[${input.dims}]`,
    hint: "export it with dynamic axes",
  })
}

/** Types that `int64` is converted to, with ONNX's codes for them. */
const wholeNumbers: Readonly<Record<string, number>> = { int64: 7, int32: 6 }
const marks: Readonly<Record<string, number>> = { ...wholeNumbers, int8: 3, uint8: 2, bool: 9, float32: 1, float16: 10 }

const typesOf = (input: Value): Readonly<Record<string, number>> =>
  input.name === "attention_mask" ? marks : wholeNumbers

const withWideInputs = (graph: Graph, file: string): Graph => {
  const narrow = graph.inputs.filter(({ type }) => type !== undefined && type !== "int64")
  if (narrow.length === 0) return graph
  for (const input of narrow) {
    if (typesOf(input)[input.type ?? ""] !== undefined) continue
    throw new UnsupportedEncoder({
      message: `the model takes ${input.name} as another type than is given`,
      file,
      field: input.name,
      expected: Object.keys(typesOf(input)).join(" or "),
      found: described(input),
    })
  }
  const converted = new Map(narrow.map(({ name }) => [name, `tandem.${name}`]))
  const casts = narrow.map(
    (input): Node => ({
      op: "Cast",
      domain: "",
      name: `tandem.cast.${input.name}`,
      inputs: [input.name],
      outputs: [converted.get(input.name)!],
      attributes: { to: int(typesOf(input)[input.type ?? ""] ?? 7) },
    }),
  )
  const nodes = graph.nodes.map((node) => ({ ...node, inputs: node.inputs.map((name) => converted.get(name) ?? name) }))
  const inputs = graph.inputs.map((input): Value => ({ ...input, type: "int64" }))
  return {
    ...graph,
    inputs,
    nodes: [...casts, ...nodes],
    values: new Map([...graph.values].filter(([name]) => !converted.has(name))),
  }
}

/** The width of the token embeddings, where the graph says it; another one than the config's is refused. */
export const embeddingWidth = (graph: Graph, config: EncoderConfig, file: string): number | undefined => {
  const width = describeValue(shaped(graph), "last_hidden_state").dims?.at(-1)
  if (typeof width !== "number") return undefined
  const expected = embeddingSize(config)
  if (expected === 0 || expected === width) return width
  throw new UnsupportedEncoder({
    message: "the model's output is no embedding of the width that its config says",
    file,
    field: "last_hidden_state",
    expected: `[batch, sequence, ${expected}]`,
    found: `[batch, sequence, ${width}]`,
    hint: "export the model for feature extraction, without a head",
  })
}

const shaped = (graph: Graph): Graph => {
  if (typeof describeValue(graph, "last_hidden_state").dims?.at(-1) === "number") return graph
  try {
    return inferShapes(graph)
  } catch {
    return graph
  }
}

/** The table that token ids are looked up in, where they are looked up as they come. */
export const idTable = (graph: Graph): Tensor | undefined => {
  const makers = producers(graph)
  const source = (name: string): string => {
    let from = name
    for (let maker = makers.get(from); maker?.op === "Cast" || maker?.op === "Identity"; maker = makers.get(from)) {
      from = maker.inputs[0] ?? ""
    }
    return from
  }
  const lookup = graph.nodes.find(
    ({ op, domain, inputs }) =>
      op === "Gather" &&
      domain === "" &&
      graph.initializers.has(inputs[0] ?? "") &&
      source(inputs[1] ?? "") === "input_ids",
  )
  return graph.initializers.get(lookup?.inputs[0] ?? "")
}

/** The graph with one value under another name. */
const renamed = (graph: Graph, from: string, to: string): Graph => {
  if (from === to) return graph
  const name = (value: string): string => (value === from ? to : value)
  return {
    ...graph,
    outputs: graph.outputs.map((value) => ({ ...value, name: name(value.name) })),
    nodes: graph.nodes.map((node) => ({
      ...node,
      inputs: node.inputs.map(name),
      outputs: node.outputs.map(name),
    })),
    values: new Map([...graph.values].map(([key, value]) => [name(key), { ...value, name: name(key) }])),
  }
}
