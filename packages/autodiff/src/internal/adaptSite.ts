import { elementCount, float32, type GraphBuilder, staticDims, type Value } from "@tandem/onnx"
import type { LinearSite, WeightPart } from "./linearSites.ts"

/** An adapter at one part of a product. */
export interface PartAdapter {
  /** `[rank, in]` */
  readonly a: Value
  /** `[out, rank]` */
  readonly b: Value
  readonly rank: number
  /** What the adapter reads: the product's input, or what dropout leaves of it. */
  readonly input: Value
}

/**
 * The product's result with its adapters' added: result + scale · (x·Aᵀ)·Bᵀ. Adapters of weights that stand side by
 * side share two products, of all A below each other and of all B on a diagonal, because B is small and rows are many.
 */
export const adaptSite = (
  g: GraphBuilder,
  site: LinearSite,
  result: Value,
  adapters: ReadonlyMap<WeightPart, PartAdapter>,
  scale: number,
): Value => {
  const present = [...adapters.values()]
  const reads = [...new Set(present.map(({ input }) => input))]
  const down = (input: Value, a: Value): Value => {
    const x = g.cast(input, "float32")
    const dims = staticDims(x.dims)
    if (dims === undefined) return g.matmul(site.turned ? g.transpose(x, [1, 0]) : x, g.transpose(a, [1, 0]))
    const flat = dims.length === 2 ? x : g.reshape(x, [elementCount(dims.slice(0, -1)), site.inputs])
    return g.gemm(flat, a, { transA: site.turned, transB: true })
  }
  const inner =
    reads.length === 1
      ? down(
          reads[0]!,
          g.concat(
            present.map(({ a }) => a),
            0,
          ),
        )
      : g.concat(
          present.map(({ input, a }) => down(input, a)),
          -1,
        )
  const [only] = site.parts
  const single = site.parts.length === 1 && only !== undefined
  const outer = single ? present[0]!.b : diagonal(g, site, adapters)
  const alpha = single ? scale * only.factor : scale
  const dims = staticDims(result.dims)
  if (dims === undefined || staticDims(inner.dims) === undefined) {
    const up = g.matmul(inner, g.mul(g.transpose(outer, [1, 0]), g.scalar(alpha)))
    return g.add(result, g.cast(up, result.type ?? "float32"))
  }
  const flat = [elementCount(dims.slice(0, -1)), dims.at(-1)!]
  if (result.type === "float32") {
    return g.reshape(g.gemm(inner, outer, { transB: true, alpha, c: g.reshape(result, flat) }), dims)
  }
  const up = g.reshape(g.gemm(inner, outer, { transB: true, alpha }), dims)
  return g.add(result, g.cast(up, result.type ?? "float32"))
}

/** `[all outputs, all ranks]`: each B, times its weight's factor, at its own outputs and its own ranks, else 0. */
const diagonal = (g: GraphBuilder, site: LinearSite, adapters: ReadonlyMap<WeightPart, PartAdapter>): Value => {
  const ranks = [...adapters.values()].reduce((sum, { rank }) => sum + rank, 0)
  const empty = (rows: number, columns: number): readonly Value[] =>
    columns === 0 ? [] : [g.constant(float32([rows, columns], new Float32Array(rows * columns)))]
  let before = 0
  const rows = site.parts.flatMap((part) => {
    const adapter = adapters.get(part)
    if (adapter === undefined) return empty(part.outputs, ranks)
    const b = part.factor === 1 ? adapter.b : g.mul(adapter.b, g.scalar(part.factor))
    const left = empty(part.outputs, before)
    before += adapter.rank
    return [g.concat([...left, b, ...empty(part.outputs, ranks - before)], 1)]
  })
  return g.concat(rows, 0)
}
