// The matrix products of a graph: what a step cannot do without, whatever stands around them.
import { describeValue, type Graph, intAttribute, type Node, staticDims } from "@tandem/onnx"

/** `count` times `batch` products `[m, k] · [k, n]` in one step. */
export interface Product {
  readonly batch: number
  readonly m: number
  readonly n: number
  readonly k: number
  readonly count: number
}

const products = new Set(["Gemm", "MatMul", "FusedMatMul", "FusedGemm", "TransposeMatMul"])
const others = /Mat[Mm]ul|Gemm|Attention|Einsum|Conv/

/** Floating-point operations of one of the products. */
export const flopsOf = ({ batch, m, n, k }: Omit<Product, "count">): number => 2 * batch * m * n * k

/**
 * The products of a training step, equal ones counted together; the largest share of the work first. Of the forward
 * graph, whose shapes are static: each Y = A·B that it has, and with it dA = dY·Bᵀ and dB = Aᵀ·dY where A or B depends on
 * what is trained. Products with vectors are sums and do not count.
 */
export const productsOf = (graph: Graph, trainable: Iterable<string>): readonly Product[] => {
  const found = new Map<string, Product>()
  const add = (product: Omit<Product, "count">): void => {
    const { batch, m, n, k } = product
    const key = `${batch} ${m} ${n} ${k}`
    if (Math.min(m, n, k) > 1) found.set(key, { ...product, count: (found.get(key)?.count ?? 0) + 1 })
  }
  const trained = new Set(trainable)
  for (const node of graph.nodes) {
    if (node.inputs.some((name) => trained.has(name))) for (const name of node.outputs) trained.add(name)
    if (!products.has(node.op)) {
      if (others.test(node.op)) throw new Error(`the products of ${node.op} are not known`)
      continue
    }
    const { batch, m, n, k } = shapeOf(graph, node)
    const [left, right] = node.inputs.map((name) => trained.has(name))
    add({ batch, m, n, k })
    if (left === true) add({ batch, m, n: k, k: n })
    if (right === true) add({ batch, m: k, n, k: m })
  }
  return [...found.values()].sort((a, b) => b.count * flopsOf(b) - a.count * flopsOf(a))
}

/** The products that a graph holds, one for each node, with vectors and by whatever they are for. */
export const nodeProducts = (graph: Graph): readonly Omit<Product, "count">[] =>
  graph.nodes.flatMap((node) => {
    if (products.has(node.op)) return [shapeOf(graph, node)]
    if (others.test(node.op)) throw new Error(`the products of ${node.op} are not known`)
    return []
  })

const shapeOf = (graph: Graph, node: Node): Omit<Product, "count"> => {
  const dims = (name: string | undefined): readonly number[] => {
    const known = staticDims(describeValue(graph, name ?? "").dims)
    if (known === undefined) throw new Error(`the shape of ${name} is not known`)
    return known
  }
  if (intAttribute(node, "transBatchA", 0) + intAttribute(node, "transBatchB", 0) > 0)
    throw new Error(`${node.name}: products with transposed batches are not known`)
  const [left, right, out] = [dims(node.inputs[0]), dims(node.inputs[1]), dims(node.outputs[0])]
  const k = left.at(intAttribute(node, "transA", 0) === 1 && left.length > 1 ? -2 : -1) ?? 1
  const [rows, n] = [out.at(-2) ?? 1, out.at(-1) ?? 1]
  const outer = out.slice(0, -2).reduce((product, dim) => product * dim, 1)
  // Stacked rows against one matrix are one product.
  return right.length <= 2 ? { batch: 1, m: outer * rows, n, k } : { batch: outer, m: rows, n, k }
}
