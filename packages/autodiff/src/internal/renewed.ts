import type { Graph, GraphBuilder, Node, Value } from "@tandem/onnx"
import type { Rule } from "../Rule.ts"
import { shaped } from "./gradients.ts"

/** Values of the forward pass by name. */
export type ForwardValuesByName = Pick<ReadonlyMap<string, Value>, "get">

/**
 * Forward values as gradients read them: results of cheap operators (`Rule.again`) are made once more where they are
 * read, so that a provider lets go of the first ones during the forward pass.
 */
export const renewed = (
  g: GraphBuilder,
  graph: Graph,
  values: ForwardValuesByName,
  onPath: ReadonlySet<string>,
  ruleOf: (node: Node) => Rule | undefined,
): ForwardValuesByName => {
  const outputs = new Set(graph.outputs.map(({ name }) => name))
  const cheap = new Map<string, { readonly node: Node; readonly again: NonNullable<Rule["again"]> }>()
  for (const node of graph.nodes) {
    const name = node.outputs[0] ?? ""
    const again = onPath.has(name) && !outputs.has(name) ? ruleOf(node)?.again : undefined
    if (again !== undefined) cheap.set(name, { node, again })
  }
  const made = new Map<string, Value | undefined>()
  const get = (name: string): Value | undefined => {
    if (made.has(name)) return made.get(name)
    const first = values.get(name)
    const found = cheap.get(name)
    const value =
      found === undefined
        ? first
        : g.scope(`again ${found.node.name}`, () => {
            const operands = found.node.inputs.flatMap((input) => {
              const operand = input === "" ? undefined : get(input)
              return operand === undefined ? [] : [shaped(graph, operand, input)]
            })
            const passes = (index: number): boolean => onPath.has(found.node.inputs[index] ?? "")
            return found.again({ g, node: found.node, operands, onPath: passes }) ?? first
          })
    made.set(name, value)
    return value
  }
  return { get }
}
