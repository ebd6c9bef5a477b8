import { type Dims, type Graph, GraphBuilder, int, int64, type Tensor, type Value } from "@tandem/onnx"
import { UnsupportedArchitecture } from "../Errors.ts"
import { withParameterInputs } from "../encoder/OnnxEncoder.ts"
import { prepareInference } from "../exported/PrepareGraph.ts"
import { decodingInputs } from "../internal/DecodingInputs.ts"
import { maskPositions } from "../internal/TokenRows.ts"
import type { CacheShape, Decoding } from "./Decoding.ts"

/** A model from an ONNX file that writes text, as `Decoding` describes it. */
export interface OnnxDecodingParts {
  /** The file's graph, whole, with copies of one weight tied. */
  readonly graph: Graph
  readonly parameters: ReadonlyMap<string, Tensor>
  readonly huggingFace: Readonly<Record<string, unknown>>
  readonly modelFile: string
}

/** Operators that take the first columns of a row for its tokens, however many of them the mask leaves out. */
const counting = ["GroupQueryAttention"]

/**
 * An exported decoder's graph with its key-value cache, brought into the form of `Decoding`: the prefix and the columns of
 * the cache that are in use become its past, and what it adds to the past is written into the cache. It has no room for
 * rows of different lengths where the model counts columns, as `GroupQueryAttention` and sliding windows do, or takes no
 * positions.
 */
export const onnxDecoding = ({ graph, parameters, huggingFace, modelFile }: OnnxDecodingParts): Decoding => {
  const whole = prepareInference(graph)
  const inputs = whole.inputs.filter(({ name }) => !whole.initializers.has(name))
  const caches = cacheShapes(inputs, modelFile)
  const model = withParameterInputs(whole, parameters)
  const [cache] = caches
  const alone = { scoring: undefined, encoder: undefined }
  if (cache === undefined) return { graph: wholeTextGraph(model, parameters), caches, uneven: true, ...alone }
  const { heads } = cache
  const uneven =
    inputs.some(({ name }) => name === "position_ids") &&
    !whole.nodes.some(({ op }) => counting.includes(op)) &&
    typeof huggingFace["sliding_window"] !== "number"
  const g = new GraphBuilder()
  const inputsOf = decodingInputs(g, caches)
  const { ids, positions, tokensAt, places, cachePlaces, cachePositions, prefixPositions, wanted } = inputsOf
  const size = (of: Value, axis: number): Value => g.slice(g.op("Shape", [of])[0]!, 0, axis, axis + 1)
  const zero = g.indices([0])
  const one = g.indices([1])
  /** Tokens of this run are written last, so whatever is real before them is the past. */
  const firstNew = g.op("ReduceMin", [g.slice(g.reshape(cachePlaces, [-1, 3]), 1, 2, 3), zero], {
    attributes: { keepdims: int(0) },
  })[0]!
  const used = { cache: firstNew, prefix: inUse(g, prefixPositions) }
  const first = (x: Value, length: Value, axis: number, dims: Dims): Value =>
    g.op("Slice", [x, zero, length, g.indices([axis])], { outputs: [{ type: x.type, dims }] })[0]!
  const each = g.op("Div", [size(tokensAt, 0), size(prefixPositions, 0)])[0]!
  /** What belongs to prefixes, once for each of their rows. */
  const forRows = (x: Value, rest: Dims): Value => {
    const tail = g.slice(g.op("Shape", [x])[0]!, 0, 1, rest.length + 1)
    const spread = g.op("Expand", [g.unsqueeze(x, [1]), g.concat([one, each, tail], 0)])[0]!
    return g.op("Reshape", [spread, g.concat([size(tokensAt, 0), tail], 0)], {
      attributes: { allowzero: int(1) },
      outputs: [{ type: x.type, dims: ["rows", ...rest] }],
    })[0]!
  }
  const real = (x: Value): Value => g.cast(g.greaterOrEqual(x, g.constant(int64([], [0]))), "int64")
  const isToken = real(
    g.op("Slice", [cachePositions, firstNew, g.op("Add", [firstNew, size(tokensAt, 1)])[0]!, one])[0]!,
  )
  const mask = g.concat(
    [
      forRows(first(real(prefixPositions), used.prefix, 1, ["prefixes", "before"]), ["before"]),
      first(real(cachePositions), used.cache, 1, ["rows", "between"]),
      isToken,
    ],
    1,
  )
  const bindings: Record<string, Value> = {}
  for (const { name, type, dims } of model.inputs) {
    const past = pastOf(name)
    if (parameters.has(name)) bindings[name] = g.input(name, type ?? "float32", dims ?? [])
    else if (past !== undefined) {
      const [prefix, cache] = [inputsOf.prefix, inputsOf.past].map((of) => of[past.layer]![past.part]!)
      const { headSize } = caches[past.layer]!
      bindings[name] = g.concat(
        [
          forRows(first(prefix!, used.prefix, 2, ["prefixes", heads, "before", headSize]), [heads, "before", headSize]),
          first(cache!, used.cache, 2, ["rows", heads, "between", headSize]),
        ],
        2,
      )
    } else if (name === "input_ids") bindings[name] = g.gather(ids, tokensAt)
    else if (name === "position_ids") bindings[name] = g.gather(positions, tokensAt)
    else if (name === "attention_mask") bindings[name] = mask
    else bindings[name] = switchOf(g, { name, dims })
  }
  const results = g.call(model, bindings)
  const logits = results["logits"]!
  const rows = g.reshape(logits, [-1, Number(logits.dims?.at(-1) ?? -1)])
  const presents = caches.flatMap(({ headSize }, layer) =>
    ["key", "value"].map((part, index) => {
      const all = Object.entries(results).find(([name]) => {
        const found = presentOf(name)
        return found?.layer === layer && found.part === index
      })
      const start = g.op("Add", [used.prefix, used.cache])[0]!
      const end = g.indices([Number.MAX_SAFE_INTEGER])
      const added = g.op("Slice", [all![1], start, end, g.indices([2])], {
        outputs: [{ type: "float32", dims: ["rows", heads, "width", headSize] }],
      })[0]!
      return [
        `present.${layer}.${part}`,
        g.op("ScatterND", [inputsOf.past[layer]![index]!, cachePlaces, added])[0]!,
      ] as const
    }),
  )
  const outputs = { logits: g.gather(rows, g.gather(places, wanted)), ...Object.fromEntries(presents) }
  return { graph: g.build(outputs, graph.name), caches, uneven, ...alone }
}

/** A model without a cache, for whole texts: `input_ids` and `attention_mask` `[rows, width]`, and `logit_tokens`, places. */
const wholeTextGraph = (model: Graph, parameters: ReadonlyMap<string, Tensor>): Graph => {
  const g = new GraphBuilder()
  const [ids, mask] = ["input_ids", "attention_mask"].map((name) => g.input(name, "int64", ["rows", "width"]))
  const wanted = g.input("logit_tokens", "int64", ["wanted"])
  const bindings: Record<string, Value> = {}
  for (const { name, type, dims } of model.inputs) {
    if (parameters.has(name)) bindings[name] = g.input(name, type ?? "float32", dims ?? [])
    else if (name === "input_ids") bindings[name] = ids!
    else if (name === "attention_mask") bindings[name] = mask!
    else if (name === "position_ids") bindings[name] = maskPositions(g, mask!)
    else bindings[name] = switchOf(g, { name, dims })
  }
  const logits = g.call(model, bindings)["logits"]!
  const rows = g.reshape(logits, [-1, Number(logits.dims?.at(-1) ?? -1)])
  return g.build({ logits: g.gather(rows, wanted) }, model.name)
}

/** Inputs that choose what a model computes: with the past that it is given, and logits at every place. */
const switchOf = (g: GraphBuilder, { name, dims }: Pick<Value, "name" | "dims">): Value =>
  name === "use_cache_branch"
    ? g.constant({ type: "bool", dims: dims?.length === 0 ? [] : [1], data: Uint8Array.of(1) })
    : g.constant(int64(dims?.length === 1 ? [1] : [], [0]))

/** The longest run of columns that hold a token. */
const inUse = (g: GraphBuilder, positions: Value): Value => {
  const real = g.cast(g.greaterOrEqual(positions, g.constant(int64([], [0]))), "int64")
  return g.reshape(g.reduceMax(g.reduceSum(real, [1], false), [0], false), [1])
}

/** Which layer's keys (0) or values (1) an input or output of a cache holds. */
const partOf = (pattern: RegExp) => (name: string) => {
  const [, layer, part] = pattern.exec(name) ?? []
  return layer === undefined ? undefined : { layer: Number(layer), part: part === "key" ? 0 : 1 }
}
const pastOf = partOf(/^past(?:_key_values)?\.(\d+)\.(key|value)$/)
const presentOf = partOf(/^present(?:_key_values)?\.(\d+)\.(key|value)$/)

const cacheShapes = (inputs: readonly Value[], file: string): readonly CacheShape[] => {
  const caches: CacheShape[] = []
  for (const { name, type, dims } of inputs) {
    const past = pastOf(name)
    if (past === undefined || past.part === 1) continue
    const [heads, headSize] = [dims?.[1], dims?.[3]]
    if (type !== "float32" || typeof heads !== "number" || typeof headSize !== "number") {
      throw new UnsupportedArchitecture({
        message: `the cache input ${name} has another form than text can be written with`,
        file,
        field: name,
        expected: "float32[batch, heads, past length, head size]",
        found: `${type}[${dims ?? "?"}]`,
      })
    }
    caches[past.layer] = { heads, headSize }
  }
  if (caches.every(({ heads }) => heads === caches[0]?.heads)) return caches
  throw new UnsupportedArchitecture({
    message: "the model's layers have different numbers of heads, so it cannot write text",
    file,
    expected: "as many heads of keys in every layer",
    found: caches.map(({ heads }) => heads).join(", "),
  })
}
