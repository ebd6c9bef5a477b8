import { describeValue, type Graph, type GraphBuilder, type Node, type Value } from "@tandem/onnx"
import type { Rule } from "../Rule.ts"
import { shaped } from "./gradients.ts"

/** Values of the forward pass by name. */
export type ForwardValuesByName = Pick<ReadonlyMap<string, Value>, "get">

/** Operators that put elements of their first operand elsewhere: they are made again where that is. */
const moving = new Set(["Reshape", "Squeeze", "Unsqueeze", "Flatten", "Split", "Slice"])

/** Operators whose own gradient reads their result, so that it is kept whatever else becomes of it. */
const keeping = new Set(["Softmax"])

/**
 * Forward values as gradients read them: results of cheap operators (`Rule.again`), and parts of what is kept as a whole,
 * are made once more where they are read, so that a provider lets go of the first ones during the forward pass.
 */
export const renewed = (
  g: GraphBuilder,
  graph: Graph,
  values: ForwardValuesByName,
  onPath: ReadonlySet<string>,
  ruleOf: (node: Node) => Rule | undefined,
): ForwardValuesByName => {
  const outputs = new Set(graph.outputs.map(({ name }) => name))
  const makers = new Map(
    graph.nodes.flatMap((node) => node.outputs.map((name, index) => [name, { node, index }] as const)),
  )
  const made = new Map<string, Value | undefined>()
  const isMoving = (node: Node): boolean => node.domain === "" && moving.has(node.op)
  /** What makes a value again, where anything does. */
  const makerOf = (name: string): { readonly node: Node; readonly index: number } | undefined => {
    const found = makers.get(name)
    if (found === undefined || !onPath.has(name) || outputs.has(name)) return undefined
    return isMoving(found.node) || (found.index === 0 && ruleOf(found.node)?.again !== undefined) ? found : undefined
  }
  /** Makes what a value is made of first; chains may be longer than a stack is deep. */
  const get = (name: string): Value | undefined => {
    const open = [name]
    while (!made.has(name)) {
      const next = open.at(-1)!
      const found = makerOf(next)
      const operands =
        found === undefined ? [] : isMoving(found.node) ? found.node.inputs.slice(0, 1) : found.node.inputs
      const missing = operands.find((operand) => operand !== "" && !made.has(operand))
      if (missing !== undefined) open.push(missing)
      else {
        made.set(next, (found === undefined ? undefined : again(found.node, found.index)) ?? values.get(next))
        open.pop()
      }
    }
    return made.get(name)
  }
  const again = (node: Node, index: number): Value | undefined =>
    g.scope(`again ${node.name}`, () => {
      if (isMoving(node)) return moved(node, index)
      const operands = node.inputs.flatMap((input) => {
        const operand = made.get(input)
        return operand === undefined ? [] : [shaped(graph, operand, input)]
      })
      return ruleOf(node)?.again?.({ g, node, operands, onPath: (at) => onPath.has(node.inputs[at] ?? "") })
    })
  const moved = (node: Node, index: number): Value | undefined => {
    const [source = "", ...settings] = node.inputs
    const operand = made.get(source)
    if (operand === values.get(source)) return part(node, index, operand)
    const operands = [operand, ...settings.map((input) => (input === "" ? undefined : values.get(input)))]
    const known = node.outputs.map((output) => describeValue(graph, output))
    return g.op(node.op, operands, { attributes: node.attributes, outputs: known, name: node.name })[index]
  }
  /** A part of what a `Split` takes apart, where the whole is kept: by a `Slice`, which nobody merges with the `Split`. */
  const part = ({ op, domain, inputs: [source = ""], attributes, outputs }: Node, index: number, whole?: Value) => {
    const maker = makers.get(source)?.node
    const axis = attributes["axis"]?.kind === "int" ? Number(attributes["axis"].value) : 0
    const isKept = maker !== undefined && maker.domain === "" && keeping.has(maker.op)
    if (op !== "Split" || domain !== "" || !isKept || whole === undefined || axis < 0) return undefined
    const sizes = outputs.map((output) => describeValue(graph, output).dims?.[axis])
    const before = sizes.slice(0, index + 1)
    if (!before.every((size) => typeof size === "number")) return undefined
    const end = before.reduce((sum, size) => sum + size, 0)
    return g.slice(whole, axis, end - (before[index] ?? 0), end)
  }
  return { get }
}
