import { elementCount, floatAttribute, type GraphBuilder, intAttribute, type Value } from "@tandem/onnx"
import { scalarLike } from "../internal/constants.ts"
import { unsupported } from "../internal/refusals.ts"
import { swapLast } from "../internal/shapes.ts"
import type { Gradient, RuleContext, RuleTable, Shaped } from "../Rule.ts"

/** `[…, n]` as a matrix `[rows, n]`. */
const asMatrix = (g: GraphBuilder, value: Shaped): Value =>
  value.dims.length === 2 ? value : g.reshape(value, [elementCount(value.dims.slice(0, -1)), value.dims.at(-1)!])

const flag = ({ node }: RuleContext, name: string): boolean => intAttribute(node, name, 0) === 1

/**
 * Y = A·B. dA = dY·Bᵀ, dB = Aᵀ·dY.
 * Where B is a matrix that many rows meet, the rows are taken together, so that both gradients are one product each
 * instead of a batch of products and a sum. Rank-1 operands are lifted to matrices first. Of Aᵀ·dY and (dYᵀ·A)ᵀ that one
 * is formed whose transposed operand is smaller.
 */
const matmulA: Gradient = (context) => {
  const {
    g,
    in: { A, B },
    dY,
  } = context
  const [a, b, dy] = lifted(g, A!, B!, dY)
  if (b.dims.length === 2 && a.dims.length > 2) {
    return g.reshape(g.gemm(asMatrix(g, dy), b, { transB: true }), A!.dims)
  }
  const result = g.matmul(dy, swapLast(g, b))
  return A!.dims.length === 1 ? g.reshape(result, [...dy.dims.slice(0, -2), A!.dims[0]!]) : result
}

const matmulB: Gradient = (context) => {
  const {
    g,
    in: { A, B },
    dY,
  } = context
  const [a, b, dy] = lifted(g, A!, B!, dY)
  if (b.dims.length === 2) {
    return (sum) => {
      const c = sum === undefined || B!.dims.length === 2 ? sum : g.reshape(sum, b.dims)
      const product = g.gemm(asMatrix(g, a), asMatrix(g, dy), { transA: true, ...(c === undefined ? {} : { c }) })
      return B!.dims.length === 2 ? product : g.reshape(product, B!.dims)
    }
  }
  const [width, columns] = [a.dims.at(-1)!, dy.dims.at(-1)!]
  if (width <= columns) return g.matmul(swapLast(g, a), dy)
  const turned = g.matmul(swapLast(g, dy), a)
  return swapLast(g, { ...turned, dims: [...dy.dims.slice(0, -2), columns, width] })
}

/** Operands and result gradient with rank-1 operands written as a row and a column. */
const lifted = (g: GraphBuilder, a: Shaped, b: Shaped, dy: Shaped): readonly [Shaped, Shaped, Shaped] => {
  const row = a.dims.length === 1
  const column = b.dims.length === 1
  const dims = [...dy.dims]
  if (column) dims.push(1)
  if (row) dims.splice(dims.length - 1, 0, 1)
  return [
    row ? reshaped(g, a, [1, ...a.dims]) : a,
    column ? reshaped(g, b, [...b.dims, 1]) : b,
    row || column ? reshaped(g, dy, dims) : dy,
  ]
}

const reshaped = (g: GraphBuilder, value: Value, dims: readonly number[]): Shaped => ({
  ...g.reshape(value, dims),
  dims,
})

/** Y = α·op(A)·op(B) + β·C, matrices. */
const gemm = {
  A: (context: RuleContext) => {
    const {
      g,
      node,
      in: { B },
      dY,
    } = context
    const alpha = floatAttribute(node, "alpha", 1)
    const transB = flag(context, "transB")
    return (sum: Value | undefined) => {
      const c = sum === undefined ? {} : { c: sum }
      return flag(context, "transA")
        ? g.gemm(B!, dY, { transA: transB, transB: true, alpha, ...c })
        : g.gemm(dY, B!, { transB: !transB, alpha, ...c })
    }
  },
  B: (context: RuleContext) => {
    const {
      g,
      node,
      in: { A },
      dY,
    } = context
    const alpha = floatAttribute(node, "alpha", 1)
    const transA = flag(context, "transA")
    return (sum: Value | undefined) => {
      const c = sum === undefined ? {} : { c: sum }
      return flag(context, "transB")
        ? g.gemm(dY, A!, { transA: true, transB: transA, alpha, ...c })
        : g.gemm(A!, dY, { transA: !transA, alpha, ...c })
    }
  },
  C: ({ g, node, dY }: RuleContext) => {
    const beta = floatAttribute(node, "beta", 1)
    return beta === 1 ? dY : g.mul(dY, scalarLike(g, dY, beta))
  },
}

/** ONNX Runtime's swap of batch and row axes, which no gradient here knows. */
const refuseBatchSwap = (context: RuleContext, input: string): void => {
  const attribute = ["transBatchA", "transBatchB"].find((name) => flag(context, name))
  if (attribute !== undefined) throw unsupported(context, { input, attribute, found: "1", expected: "0" })
}

/** Y = α·op(A)·op(B) over the last two axes. */
const fused = {
  A: (context: RuleContext) => {
    const {
      g,
      node,
      in: { B },
      dY,
    } = context
    const alpha = floatAttribute(node, "alpha", 1)
    const transB = flag(context, "transB")
    refuseBatchSwap(context, "A")
    if (flag(context, "transA")) return g.fusedMatmul(B!, dY, { transA: transB, transB: true, alpha })
    return g.fusedMatmul(dY, B!, { transB: !transB, alpha })
  },
  B: (context: RuleContext) => {
    const {
      g,
      node,
      in: { A },
      dY,
    } = context
    const alpha = floatAttribute(node, "alpha", 1)
    const transA = flag(context, "transA")
    refuseBatchSwap(context, "B")
    return flag(context, "transB")
      ? g.fusedMatmul(dY, A!, { transA: true, transB: transA, alpha })
      : g.fusedMatmul(A!, dY, { transA: !transA, alpha })
  },
}

/** Gradients of matrix products. */
export const productRules: RuleTable = {
  MatMul: [{ since: 1, inputs: { A: matmulA, B: matmulB } }],
  Gemm: [{ since: 7, inputs: gemm }],
  "com.microsoft.FusedMatMul": [{ since: 1, inputs: fused }],
}
