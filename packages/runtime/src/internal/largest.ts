import {
  bytesPerElement,
  elementCount,
  type Node,
  operatorName,
  staticDims,
  UnsupportedModel,
  type Value,
} from "@tandem/onnx"

/** More elements than an array of JavaScript can have: nothing here could hold such a value. */
export const mostElements = 2 ** 32 - 1

/** What constants may take that are computed before a graph runs: one of them, and all of them together. */
const largestConstant = 2 ** 30
const allConstants = 2 ** 34

/** What is known of the size of a value in bytes; of unknown types the widest. */
const bytesOf = ({ type, dims }: Value): number | undefined => {
  const known = staticDims(dims)
  return known === undefined ? undefined : elementCount(known) * (type === undefined ? 8 : bytesPerElement(type))
}

const tooLarge = (node: Node, what: string, expected: string, { type, dims }: Value): UnsupportedModel =>
  new UnsupportedModel({
    message: `${node.name} (${operatorName(node)}) makes ${what} ${type ?? "?"}[${dims}], which is more than ${expected}`,
    node: node.name,
    expected: `at most ${expected}`,
    found: `${type ?? "?"}[${dims}]`,
    hint: "see whether the file is damaged; a smaller batch or shorter rows may help where the shape depends on them",
  })

/** Refuses results that nothing could hold. */
export const requirePossible = (node: Node, results: readonly Value[]): void => {
  for (const result of results) {
    const dims = staticDims(result.dims)
    if (dims !== undefined && elementCount(dims) > mostElements) {
      throw tooLarge(node, "a value", `${mostElements} elements`, result)
    }
  }
}

/** Counts what is computed before a graph runs, and refuses it before it takes memory out of proportion. */
export class ConstantWork {
  #bytes = 0

  /** To be told of every node whose results are computed, once. */
  add(node: Node, results: readonly Value[]): void {
    for (const result of results) {
      const bytes = bytesOf(result) ?? 0
      if (bytes > largestConstant) {
        throw tooLarge(node, "a constant", `${largestConstant} bytes`, result)
      }
      this.#bytes += bytes
      if (this.#bytes > allConstants) {
        throw tooLarge(node, "one more constant", `${allConstants} bytes in all`, result)
      }
    }
  }
}
