import { describeValue, type Graph, GraphBuilder, type Node, staticDims, type Value } from "@tandem/onnx"
import { InvalidLora } from "./Errors.ts"
import { adaptSite } from "./internal/adaptSite.ts"
import type { CodeBlocks } from "./internal/linearSites.ts"
import { type Modules, type TargetedPart, type Targets, targetedParts } from "./internal/loraTargets.ts"
import { requireReadable } from "./internal/path.ts"

/** How adapters are shaped and where they go; in words and meaning PEFT's `LoraConfig`. */
export interface LoraSettings {
  readonly rank: number
  readonly alpha: number
  /** Scale by alpha / √rank instead of alpha / rank (rank-stabilised LoRA). */
  readonly useRslora?: boolean
  /** Share of the elements of an adapter's input that dropout sets to 0; 0 where absent. */
  readonly dropout?: number
  /**
   * Modules that take an adapter: a list of names or ends of names (`["q_proj", "v_proj"]`), a regular expression for
   * whole names, or `all-linear`.
   */
  readonly targets: Targets
  /** Modules that take none all the same, in the same ways; with `all-linear`, the output layer has to be named here. */
  readonly exclude?: Targets
  /** Modules of weights whose own name, or whose node's, does not tell, or that several modules share. */
  readonly modules?: Modules
}

/** The low-rank change of one weight: `scale · B · A` is added to the linear map that it stands for. */
export interface LoraAdapter {
  /** The weight's module, as PEFT names it: `encoder.layer.0.attention.self.query`. */
  readonly module: string
  /** Name of the frozen weight, an input or initializer of the graph. */
  readonly weight: string
  /** Whether the weight is stored as `[out, in]`, else `[in, out]`. */
  readonly outputFirst: boolean
  /** Whether the graph holds the weight quantised, `weight` being the name of its codes. */
  readonly quantized: boolean
  /** How codes in blocks are read; nothing can be merged into quantised weights without. */
  readonly blocks?: CodeBlocks
  /** Name of the input A `[rank, in]`. */
  readonly a: string
  /** Name of the input B `[out, rank]`. */
  readonly b: string
  readonly rank: number
  readonly inputs: number
  readonly outputs: number
  /** Where the module's outputs begin among the weight's, and how many the weight has: more where modules share it. */
  readonly start: number
  readonly weightOutputs: number
  /** alpha / rank, or alpha / √rank. */
  readonly scale: number
}

/** A graph with adapters. */
export interface LoraGraph {
  /** The graph, with A and B of every adapter as further inputs, then the masks of their dropout. */
  readonly graph: Graph
  /** In the order in which the graph meets them. */
  readonly adapters: readonly LoraAdapter[]
  /** The adapters' dropout sites: `bool` inputs (true keeps an element) and the share of elements to drop. */
  readonly dropout: readonly { readonly input: string; readonly rate: number }[]
}

/**
 * Adds low-rank adapters to the linear maps of a graph: y = x·W becomes y = x·W + scale · (x·Aᵀ)·Bᵀ for every targeted
 * W, whether MatMul, Gemm or MatMulNBits reads it, stored either way round, and also where the graph joins several
 * weights to one product (each has an adapter of its own). Differentiated by A and B alone, the graph computes no
 * gradient of W. A weight that several products read has one adapter for all.
 *
 * A and B are inputs named `MODULE.lora_A.weight` and `MODULE.lora_B.weight`; `initialAdapters` makes values for them.
 * Shapes should be static; dropout needs that they are.
 *
 * @throws InvalidLora where nothing is targeted, something that is no product reads a targeted weight (an embedding),
 * or a setting is impossible; NotDifferentiable where the graph holds subgraphs or is of another operator set
 *
 * @see Hu et al., LoRA: Low-Rank Adaptation of Large Language Models, 2021; Kalajdzievski 2023 for `useRslora`
 *
 * @example
 * ```ts
 * import { addLora, differentiate } from "@tandem/autodiff"
 * import { GraphBuilder } from "@tandem/onnx"
 *
 * const g = new GraphBuilder()
 * const y = g.matmul(g.input("x", "float32", [8, 3]), g.input("layer.weight", "float32", [3, 2]))
 * const model = g.build({ loss: g.reduceMean(g.mul(y, y), [], false) })
 * const { graph, adapters } = addLora(model, { rank: 1, alpha: 2, targets: ["layer"] })
 * const step = differentiate(graph, { loss: "loss", wrt: adapters.flatMap(({ a, b }) => [a, b]) })
 * console.log(step.outputs.map(({ name }) => name)) // [ "loss", "grad.layer.lora_A.weight", "grad.layer.lora_B.weight" ]
 * ```
 */
export const addLora = (graph: Graph, settings: LoraSettings): LoraGraph => {
  requireReadable(graph, [])
  const rate = settings.dropout ?? 0
  checkSettings(settings, rate)
  const targeted = targetedParts(graph, settings)
  const adapters = new Map(targeted.map((each) => [each.module, adapterOf(settings, each)]))
  const g = new GraphBuilder()
  const values = new Map<string, Value>()
  for (const { name, type, dims } of graph.inputs) values.set(name, g.input(name, type ?? "float32", dims ?? []))
  for (const [name, tensor] of graph.initializers) values.set(name, g.initializer(name, tensor))
  const inputs = new Map(
    [...adapters.values()].flatMap(({ a, b, rank, inputs, outputs }) => [
      [a, g.input(a, "float32", [rank, inputs])] as const,
      [b, g.input(b, "float32", [outputs, rank])] as const,
    ]),
  )
  const dropout: { input: string; rate: number }[] = []
  const dropped = (x: Value, module: string): Value => {
    if (rate === 0) return x
    const dims = staticDims(x.dims)
    if (dims === undefined) {
      throw new InvalidLora({
        message: `dropout needs the shape of the input of ${module}, which is not known`,
        expected: "static dimensions",
        found: `${x.dims ?? "nothing"}`,
        hint: "specialize the graph first",
      })
    }
    // A module that is called several times drops other elements each time.
    const input = `${module}.lora_dropout${calls(module)}`
    dropout.push({ input, rate })
    return g.where(g.input(input, "bool", dims), x, g.scalar(0))
  }
  const calls = counter()
  const byNode = new Map<Node, TargetedPart[]>()
  for (const each of targeted) byNode.set(each.site.node, [...(byNode.get(each.site.node) ?? []), each])
  for (const node of graph.nodes) {
    const operands = node.inputs.map((name) => values.get(name))
    const results = g.op(node.op, operands, {
      domain: node.domain,
      attributes: node.attributes,
      outputs: node.outputs.map((name) => describeValue(graph, name)),
      name: node.name,
    })
    for (const [index, name] of node.outputs.entries()) if (name !== "") values.set(name, results[index]!)
    const here = byNode.get(node)
    if (here === undefined) continue
    const adapted = g.scope(`adapters of ${node.name}`, () => {
      const parts = here.map(({ part, module }) => {
        const { a, b, rank } = adapters.get(module)!
        return [part, { a: inputs.get(a)!, b: inputs.get(b)!, rank, input: dropped(operands[0]!, module) }] as const
      })
      return adaptSite(g, here[0]!.site, results[0]!, new Map(parts), scaleOf(settings) / (1 - rate))
    })
    values.set(node.outputs[0]!, adapted)
  }
  const outputs = Object.fromEntries(graph.outputs.map(({ name }) => [name, values.get(name)!]))
  return { graph: g.build(outputs, graph.name), adapters: [...adapters.values()], dropout }
}

const scaleOf = ({ alpha, rank, useRslora }: LoraSettings): number =>
  alpha / (useRslora === true ? Math.sqrt(rank) : rank)

const adapterOf = (settings: LoraSettings, { site, part, weight, module }: TargetedPart): LoraAdapter => ({
  module,
  weight,
  outputFirst: part.outputFirst,
  quantized: part.quantized,
  ...(part.blocks === undefined ? {} : { blocks: part.blocks }),
  a: `${module}.lora_A.weight`,
  b: `${module}.lora_B.weight`,
  rank: settings.rank,
  inputs: site.inputs,
  outputs: part.outputs,
  start: part.block?.start ?? 0,
  weightOutputs: part.block?.of ?? part.outputs,
  scale: scaleOf(settings),
})

const checkSettings = ({ rank, alpha }: LoraSettings, rate: number): void => {
  const refuse = (field: string, expected: string, found: number): InvalidLora =>
    new InvalidLora({ message: `${field} of the adapters is ${found}`, field, expected, found: `${found}` })
  if (!Number.isSafeInteger(rank) || rank < 1) throw refuse("rank", "a whole number above 0", rank)
  if (!Number.isFinite(alpha) || alpha <= 0) throw refuse("alpha", "a number above 0", alpha)
  if (!(rate >= 0 && rate < 1)) throw refuse("dropout", "a number of at least 0 and below 1", rate)
}

/** "" for the first call of a name, then ".2", ".3" … */
const counter = (): ((name: string) => string) => {
  const counts = new Map<string, number>()
  return (name) => {
    const count = (counts.get(name) ?? 0) + 1
    counts.set(name, count)
    return count === 1 ? "" : `.${count}`
  }
}
