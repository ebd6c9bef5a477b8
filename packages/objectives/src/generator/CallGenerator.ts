import type { LanguageModel, ModelError } from "@tandem/models"
import { type GraphBuilder, jointName, type Tensor, type Value } from "@tandem/onnx"
import type { Runtime } from "@tandem/runtime"
import type { MaskInput } from "@tandem/trainers"
import { Effect } from "effect"
import type { AnswerBatch } from "./AnswerLayout.ts"

/** The part that a language model is, and what its batch's tensors are called by. */
export const generatorPart = "generator"

/** What of a language model's answers a loss reads, within a program. */
export interface GeneratorCall {
  /** `[logitRows, vocabulary] f32`. */
  readonly logits: Value
  /** `[logitRows] int64`, `[logitRows, 1] int64` and `[logitRows, 1] f32`. */
  readonly logitRows: Value
  readonly targets: Value
  readonly weights: Value
  readonly masks: readonly MaskInput[]
}

/** The weights that a language model's graph reads as inputs: its parameters, and those that are frozen in few bits. */
export const generatorWeights = (model: LanguageModel): ReadonlyMap<string, Tensor> =>
  model.kind === "decoder" && model.frozen.size > 0 ? new Map([...model.parameters, ...model.frozen]) : model.parameters

/** The tensors of a batch of answers by the names that {@link callGenerator} gives them. */
export const generatorTensors = ({ tensors }: AnswerBatch): AnswerBatch["tensors"] =>
  Object.fromEntries(Object.entries(tensors).map(([name, value]) => [`${generatorPart}.${name}`, value]))

/**
 * Puts a language model into a program: its weights are inputs under their joint names, `generator/NAME`, the batch's
 * tensors under `generator.NAME`.
 */
export const callGenerator = Effect.fnUntraced(function* (
  g: GraphBuilder,
  model: LanguageModel,
  { graph: graphWith, logitRows: count }: Pick<AnswerBatch, "graph" | "logitRows">,
  dropout: "model" | number,
): Effect.fn.Return<GeneratorCall, ModelError, Runtime> {
  const { graph, dropout: sites } = yield* graphWith(dropout)
  const own = (name: string): string => `${generatorPart}.${name}`
  const weights = generatorWeights(model)
  const rename = (name: string): string => (weights.has(name) ? jointName(generatorPart, name) : own(name))
  const { inputs, outputs } = g.scope(generatorPart, () => g.callWithInputs(graph, rename))
  return {
    logits: outputs["logits"]!,
    logitRows: inputs["logit_rows"]!,
    targets: g.input(own("targets"), "int64", [count, 1]),
    weights: g.input(own("weights"), "float32", [count, 1]),
    masks: sites.map(({ input, rate }) => ({ input: own(input), rate })),
  }
})
