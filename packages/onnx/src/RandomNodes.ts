import type { Node } from "./Graph.ts"

const randomOperators: ReadonlySet<string> = new Set([
  "Dropout",
  "RandomNormal",
  "RandomNormalLike",
  "RandomUniform",
  "RandomUniformLike",
  "Bernoulli",
  "Multinomial",
])

/**
 * Whether a node may give another result each time, itself or by a node of a graph inside it. Such a node is never
 * merged with its like, never computed ahead of time, and never computed again in place of what it gave.
 */
export const isRandom = ({ op, attributes }: Pick<Node, "op" | "attributes">): boolean =>
  randomOperators.has(op) ||
  Object.values(attributes).some((attribute) => attribute.kind === "graph" && attribute.value.nodes.some(isRandom))
