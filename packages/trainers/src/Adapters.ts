import { addLora, type LoraAdapter, type LoraSettings } from "@tandem/autodiff"
import { dropoutRate, type Program } from "./Program.ts"

/**
 * A program with low-rank adapters on its linear layers (`addLora`), to be trained instead of the weights: add
 * `initialAdapters(adapters, seed)` to the parameters and make A and B of each adapter the trainable ones. Equal settings
 * give programs of other shapes adapters of the same names.
 *
 * @throws InvalidLora and NotDifferentiable, as `addLora` does
 *
 * @example
 * ```ts
 * import { initialAdapters } from "@tandem/autodiff"
 * import { GraphBuilder } from "@tandem/onnx"
 * import { withAdapters } from "@tandem/trainers"
 *
 * const g = new GraphBuilder()
 * const y = g.matmul(g.input("x", "float32", [8, 3]), g.input("layer.weight", "float32", [3, 2]))
 * const base = { graph: g.build({ loss: g.reduceMean(g.mul(y, y), [], false) }), loss: "loss", dropout: [] }
 * const { program, adapters } = withAdapters(base, { rank: 1, alpha: 2, dropout: 0.1, targets: ["layer"] })
 * const trainable = [...initialAdapters(adapters, 0).keys()]
 * console.log(trainable, program.dropout.length) // [ "layer.lora_A.weight", "layer.lora_B.weight" ] 1
 * ```
 */
export const withAdapters = (
  program: Program,
  settings: LoraSettings,
): { readonly program: Program; readonly adapters: readonly LoraAdapter[] } => {
  const rate = settings.dropout === undefined ? {} : { dropout: dropoutRate(settings.dropout) }
  const { graph, adapters, dropout } = addLora(program.graph, { ...settings, ...rate })
  return { program: { ...program, graph, dropout: [...program.dropout, ...dropout] }, adapters }
}
