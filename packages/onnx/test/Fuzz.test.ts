import assert from "node:assert/strict"
import { test } from "node:test"
import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire"
import {
  type Attribute,
  type Dims,
  fold,
  fuse,
  type Graph,
  InvalidGraph,
  InvalidModel,
  InvalidTensor,
  inferShapes,
  int64,
  type Node,
  quantizeDynamic,
  readModel,
  type Tensor,
  tensorLocations,
  UnknownOperatorSet,
  UnsupportedAttribute,
  UnsupportedModel,
  upgrade,
  writeBack,
  writeModel,
} from "../src/index.ts"
import { exports, readExport } from "./support/golden.ts"
import { seeded } from "./support/random.ts"

const isTagged = (error: unknown): boolean =>
  error instanceof InvalidModel ||
  error instanceof InvalidGraph ||
  error instanceof InvalidTensor ||
  error instanceof UnsupportedModel ||
  error instanceof UnknownOperatorSet ||
  error instanceof UnsupportedAttribute

/** The result of `body`, or undefined where it ends in an error of this package; any other error is a failure. */
const attempt = <A>(what: string, body: () => A): A | undefined => {
  try {
    return body()
  } catch (error) {
    assert.ok(isTagged(error), `${what}: ${error instanceof Error ? error.stack : String(error)}`)
    return undefined
  }
}

/** Every pass over a graph, and what it gives written and read; how many passes came through. */
const exercise = (what: string, graph: Graph): number => {
  const upgraded = attempt(what, () => upgrade(graph))
  if (upgraded === undefined) return 0
  let through = 0
  const values = new Map([...upgraded.initializers].slice(0, 3))
  for (const pass of [inferShapes, fuse, quantizeDynamic, (g: Graph) => fold(g, values)]) {
    const result = attempt(what, () => pass(upgraded))
    if (result === undefined) continue
    through++
    const bytes = attempt(what, () => writeModel(result))
    if (bytes !== undefined) attempt(what, () => readModel(bytes))
  }
  return through
}

type Random = ReturnType<typeof seeded>

const pick = <A>(random: Random, items: readonly A[]): A => {
  const item = items[random.below(items.length)]
  assert.ok(item !== undefined)
  return item
}

const joined = (...parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> => {
  const result = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0))
  let at = 0
  for (const part of parts) {
    result.set(part, at)
    at += part.length
  }
  return result
}

/** A copy with a few bytes changed, put in or taken out, mostly outside the weights. */
const mutated = (bytes: Uint8Array, random: Random): Uint8Array => {
  let copy = bytes.slice()
  const structure = [...tensorLocations(bytes).values()].flatMap(({ ranges }) => ranges.map(({ end }) => end))
  for (let count = 1 + random.below(3); count > 0; count--) {
    const from = random.uniform() < 0.5 ? 0 : pick(random, structure)
    const at = Math.min(from + random.below(400), copy.length - 1)
    const kind = random.below(8)
    if (kind < 3) copy[at] = random.below(256)
    else if (kind < 6) copy[at] = copy[at]! ^ (1 << random.below(8))
    else if (kind === 6) copy = joined(copy.subarray(0, at), Uint8Array.of(random.below(256)), copy.subarray(at))
    else copy = joined(copy.subarray(0, at), copy.subarray(at + 1 + random.below(9)))
  }
  return copy
}

for (const [index, path] of exports.entries()) {
  test(`${path}: damaged bytes end in a tagged error or a graph`, () => {
    const bytes = readExport(path)
    const random = seeded(1000 + index)
    let refused = 0
    for (let round = 0; round < 40; round++) {
      const what = `${path}, mutation ${round}`
      const damaged = mutated(bytes, random)
      const graph = attempt(what, () => readModel(damaged))
      if (graph === undefined) refused++
      else exercise(what, graph)
      const name = pick(random, [...readModel(bytes).initializers])
      attempt(what, () => writeBack(damaged, new Map([name])))
    }
    assert.ok(refused > 5, `${refused} of 40 refused`)
  })

  test(`${path}: cut-off bytes are refused`, () => {
    const bytes = readExport(path)
    const random = seeded(2000 + index)
    for (let round = 0; round < 40; round++) {
      const cut = bytes.subarray(0, round < 10 ? round : random.below(bytes.length))
      const what = `${path}, first ${cut.length} bytes`
      assert.equal(
        attempt(what, () => readModel(cut)),
        undefined,
        what,
      )
      attempt(what, () => tensorLocations(cut))
    }
  })
}

const operators = [
  ..."Add Pow MatMul Gemm Reshape Transpose Slice Concat Split Gather GatherND Softmax ReduceMean Expand Squeeze".split(
    " ",
  ),
  ..."Unsqueeze Shape Cast Where Range Flatten ConstantOfShape Dropout Identity Constant RMSNormalization".split(" "),
  ..."LayerNormalization DequantizeLinear ArgMax Swish Tanh Erf constructor __proto__ toString".split(" "),
]
const numbers = [0, 1, -1, 2, -2, 7, 1e6, -1e6, 2 ** 31, -(2 ** 31), 2 ** 53, -(2 ** 63), 2 ** 63, 2 ** 40]
const attributeNames = ["axis", "axes", "perm", "to", "start", "end", "keepdims", "batch_dims", "transA", "allowzero"]

const attribute = (random: Random): Attribute => {
  const kind = random.below(5)
  if (kind === 0) return { kind: "ints", value: Array.from({ length: random.below(5) }, () => pick(random, numbers)) }
  if (kind === 1) return { kind: "string", value: "tanh" }
  if (kind === 2) return { kind: "tensor", value: int64([1], [pick(random, numbers)]) }
  return { kind: kind === 3 ? "int" : "float", value: pick(random, numbers) }
}

const strange = (random: Random): Tensor => {
  const kind = random.below(4)
  const values = Array.from({ length: random.below(6) }, () => pick(random, numbers))
  if (kind === 0) return { type: "string", dims: [1], data: ["text"] }
  if (kind === 1) return { type: "float32", dims: [values.length], data: Float32Array.from(values) }
  return int64([values.length], values)
}

const dims = (random: Random): Dims | undefined =>
  random.below(5) === 0
    ? undefined
    : Array.from({ length: random.below(5) }, () => pick(random, [0, 1, 2, 3, 32, 2 ** 31, "batch", "?0"]))

/** A graph with a few nodes, attributes, constants and shapes replaced by others. */
const scrambled = (graph: Graph, random: Random): Graph => {
  const nodes = [...graph.nodes]
  const initializers = new Map(graph.initializers)
  const names = [...graph.initializers.keys(), ...graph.inputs.map(({ name }) => name), ""]
  const values = new Map(graph.values)
  for (let count = 1 + random.below(12); count > 0; count--) {
    const at = random.below(nodes.length)
    const node: Node = nodes[at]!
    const kind = random.below(6)
    if (kind === 0) nodes[at] = { ...node, op: pick(random, operators) }
    else if (kind === 1) {
      nodes[at] = { ...node, attributes: { ...node.attributes, [pick(random, attributeNames)]: attribute(random) } }
    } else if (kind === 2) {
      const earlier = nodes.slice(0, at).flatMap(({ outputs }) => outputs)
      const inputs = [...node.inputs, ""].map((name) =>
        random.below(3) === 0 ? pick(random, [...names, ...earlier]) : name,
      )
      nodes[at] = { ...node, inputs: inputs.slice(0, random.below(inputs.length + 1)) }
    } else if (kind === 3) initializers.set(pick(random, names), strange(random))
    else if (kind === 4) nodes[at] = { ...node, outputs: [...node.outputs, `extra ${count} ${at}`, ""] }
    else {
      const name = pick(random, names)
      values.set(name, { name, type: "float32", dims: dims(random) })
    }
  }
  const inputs = graph.inputs.map((value) => (random.below(4) === 0 ? { ...value, dims: dims(random) } : value))
  const version = pick(random, [graph.opsets.get("") ?? 20, 9, 11, 13, 17, 20, 23, 24])
  return { ...graph, nodes, initializers, inputs, values, opsets: new Map([["", version]]) }
}

for (const [index, path] of exports.entries()) {
  test(`${path}: scrambled graphs end in a tagged error or a graph`, () => {
    const graph = readModel(readExport(path))
    const random = seeded(3000 + index)
    const through = Array.from({ length: 60 }, (_, round) =>
      exercise(`${path}, scrambling ${round}`, scrambled(graph, random)),
    )
    assert.ok(through.some((count) => count === 4) && through.some((count) => count < 4))
  })
}

test("graphs nested without end, and sizes that no file holds, are refused", () => {
  let graph = new BinaryWriter().tag(2, WireType.LengthDelimited).string("innermost").finish()
  for (let level = 0; level < 2000; level++) {
    const inner = new BinaryWriter().tag(6, WireType.LengthDelimited).bytes(graph).tag(20, WireType.Varint).int32(5)
    const node = new BinaryWriter().tag(5, WireType.LengthDelimited).bytes(inner.finish())
    graph = new BinaryWriter().tag(1, WireType.LengthDelimited).bytes(node.finish()).finish()
  }
  const opset = new BinaryWriter().tag(2, WireType.Varint).int64(20).finish()
  const nested = new BinaryWriter().tag(7, WireType.LengthDelimited).bytes(graph)
  const bytes = nested.tag(8, WireType.LengthDelimited).bytes(opset).finish()
  assert.throws(() => readModel(bytes), isTagged)
  assert.equal(tensorLocations(bytes).size, 0)
  // A length of 2³² − 1 bytes in a file of six.
  const promised = Uint8Array.of(0x3a, 0xff, 0xff, 0xff, 0xff, 0x0f)
  assert.throws(() => readModel(promised), isTagged)
  assert.throws(() => tensorLocations(promised), isTagged)
})
