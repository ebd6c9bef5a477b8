import assert from "node:assert/strict"
import { test } from "node:test"
import { bool, float32, type Graph, GraphBuilder, int, int64, neededRows, type Value } from "../../src/index.ts"
import { assertEqualResults } from "./run.ts"

const noise = (dims: readonly number[], seed: number) => {
  const count = dims.reduce((product, dim) => product * dim, 1)
  return float32(
    dims,
    Array.from({ length: count }, (_, index) => Math.sin(1 + index * 1.3 + seed * 7)),
  )
}

const feeds = {
  x: noise([2, 3, 4], 1),
  rows: noise([6, 4], 2),
  few: noise([4, 4], 3),
  weight: noise([4, 4], 4),
  wide: noise([5, 4], 5),
  line: noise([4], 6),
  wideLine: noise([5], 7),
  beside: noise([6, 5], 8),
  mask: bool(
    [6, 1],
    Array.from({ length: 6 }, (_, index) => index % 3 !== 1),
  ),
  at: int64([4, 1], [5, 0, 2, 3]),
  places: int64([3], [4, -1, 4]),
  place: int64([1, 1], [2]),
}
type Name = keyof typeof feeds

const inputs = (g: GraphBuilder): Record<Name, Value> => {
  const value = (name: Name): Value => g.input(name, feeds[name].type, feeds[name].dims)
  return {
    x: value("x"),
    rows: value("rows"),
    few: value("few"),
    weight: value("weight"),
    wide: value("wide"),
    line: value("line"),
    wideLine: value("wideLine"),
    beside: value("beside"),
    mask: value("mask"),
    at: value("at"),
    places: value("places"),
    place: value("place"),
  }
}

type Build = (g: GraphBuilder, values: Record<Name, Value>) => Record<string, Value>

const graphOf = (build: Build): Graph => {
  const g = new GraphBuilder()
  return g.build(build(g, inputs(g)))
}

/** Rows of the products of a graph. */
const productRows = (graph: Graph): readonly number[] =>
  graph.nodes
    .filter(({ op }) => /MatMul|Gemm/.test(op))
    .map(({ outputs }) => {
      const dims = (graph.values.get(outputs[0]!) ?? graph.outputs.find(({ name }) => name === outputs[0]))?.dims ?? []
      return dims.slice(0, -1).reduce<number>((product, dim) => product * Number(dim), 1)
    })

interface Moved {
  readonly build: Build
  /** Rows that the products are left with. */
  readonly left: readonly number[]
}

const first = (g: GraphBuilder, x: Value): Value => g.squeeze(g.slice(x, 1, 0, 1), [1])

const moved: Readonly<Record<string, Moved>> = {
  "the first token of each text": {
    build: (g, { x, weight }) => ({ y: first(g, g.gelu(g.matmul(x, weight))) }),
    left: [2],
  },
  "a text, through products with bias, a mask and a sum with the same rows": {
    build: (g, { rows, wide, wideLine, beside, mask }) => {
      const fed = g.where(mask, g.gemm(rows, wide, { c: wideLine, transB: true, alpha: 2 }), g.scalar(0))
      return { y: g.slice(g.reshape(g.add(fed, beside), [2, 3, 5]), 0, 1, 2) }
    },
    left: [3],
  },
  "a residual that is read twice by the same rows": {
    build: (g, { rows, weight, line }) => {
      const middle = g.layerNormalization(g.matmul(rows, weight), line, line, 1e-6)
      return { y: g.gather(g.add(g.gemm(middle, weight), middle), g.constant(int64([2], [5, 1]))) }
    },
    left: [2, 2],
  },
  "a norm over the last of three axes, counted from the front": {
    build: (g, { x, weight, line }) => {
      const normal = g.op("LayerNormalization", [g.matmul(x, weight), line], { attributes: { axis: int(2) } })[0]!
      return { y: first(g, g.softmax(normal, 2)) }
    },
    left: [2],
  },
  "rows that are named at run time, some twice and from the end": {
    build: (g, { rows, weight, places }) => ({ y: g.gather(g.fusedMatmul(rows, weight, { transB: true }), places) }),
    left: [3],
  },
  "rows whose numbers are computed after what they are taken of": {
    build: (g, { rows, weight, places }) => {
      const hidden = g.relu(g.matmul(rows, weight))
      return { y: g.gather(hidden, g.op("Abs", [places])[0]!) }
    },
    left: [3],
  },
  "rows that GatherND names": {
    build: (g, { rows, weight, place }) => ({ y: g.op("GatherND", [g.matmul(rows, weight), place])[0]! }),
    left: [1],
  },
  "rows among zeros, one of which nothing was written to": {
    build: (g, { few, weight, at, places }) => {
      const spread = g.op("ScatterND", [g.zeros("float32", [6, 4]), at, g.matmul(few, weight)])[0]!
      return { y: g.gather(spread, places) }
    },
    left: [3],
  },
  "down to a value that is needed whole": {
    build: (g, { x, weight }) => {
      const whole = g.matmul(x, weight)
      return { y: first(g, g.matmul(g.relu(whole), weight)), whole }
    },
    left: [6, 2],
  },
  "two selections of the same rows": {
    build: (g, { x, weight }) => {
      const hidden = g.matmul(x, weight)
      return { y: first(g, g.relu(hidden)), z: first(g, g.exp(hidden)) }
    },
    left: [2],
  },
}

for (const [name, { build, left }] of Object.entries(moved)) {
  test(`only needed rows are computed: ${name}`, async () => {
    const before = graphOf(build)
    const after = neededRows(before)
    assert.deepEqual(productRows(after), left)
    assert.deepEqual(after.inputs, before.inputs)
    assert.deepEqual(after.outputs, before.outputs)
    await assertEqualResults(before, after, feeds, 1e-6)
  })
}

const kept: Readonly<Record<string, Build>> = {
  "all rows are read elsewhere": (g, { x, weight }) => {
    const hidden = g.matmul(x, weight)
    return { y: first(g, hidden), all: g.neg(hidden) }
  },
  "other rows are read elsewhere": (g, { x, weight }) => {
    const hidden = g.matmul(x, weight)
    return { y: g.slice(hidden, 1, 0, 1), z: g.slice(hidden, 1, 1, 2) }
  },
  "rows are mixed": (g, { x, weight }) => ({ y: first(g, g.softmax(g.matmul(x, weight), 1)) }),
  "columns are taken": (g, { rows, weight }) => ({ y: g.slice(g.matmul(rows, weight), 1, 0, 1) }),
  "the operand is another for each token": (g, { x, weight, few }) => ({
    y: first(g, g.add(g.matmul(x, weight), g.slice(few, 0, 0, 3))),
  }),
  "more rows are taken than there are": (g, { rows, weight, places }) => ({
    y: g.gather(
      g.matmul(g.slice(rows, 0, 0, 2), weight),
      g.op("Abs", [g.op("Mod", [places, g.constant(int64([], [2]))])[0]!])[0]!,
    ),
  }),
  "no product is saved": (g, { x }) => ({ y: first(g, g.relu(x)) }),
}

for (const [name, build] of Object.entries(kept)) {
  test(`a selection stays where it is if ${name}`, () => {
    const graph = graphOf(build)
    assert.equal(neededRows(graph), graph)
  })
}
