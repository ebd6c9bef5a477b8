import { dualEncoderSampler } from "@tandem/collators"
import type { Prompts } from "@tandem/generator"
import type { AnswerReduction } from "@tandem/losses"
import type { LanguageModel } from "@tandem/models"
import type { Batch, Passes } from "@tandem/trainers"
import { type AnswerBatch, answerLayout } from "../generator/AnswerLayout.ts"
import { generatorTensors } from "../generator/CallGenerator.ts"
import { computedTokens, groupPasses } from "../generator/GroupPasses.ts"
import type { PreparedQuestion } from "./PreparedQuestion.ts"
import { type RaltDraw, raltExamples } from "./RaltExamples.ts"
import { tokenWeights, type WeighedExample } from "./TokenWeights.ts"

/** One pass over a batch's examples. */
export interface RaltBatch extends Batch {
  readonly answers: AnswerBatch
}

/** What batches are made of. */
export interface RaltBatchOptions extends RaltDraw {
  readonly questions: readonly PreparedQuestion[]
  readonly prompts: Pick<Prompts, "prompt" | "answer" | "settings">
  /** Questions in a batch; each brings `k` examples. */
  readonly batchSize: number
  readonly reduction: AnswerReduction
  /** Labels are all tokens of a prompt and its answer but the first; of decoders alone. */
  readonly trainOnPrompt: boolean
  /** A batch of more tokens is several passes, each of as many questions as stay below, and at least one. */
  readonly passTokens: number
}

/** The batches of a run by their number: order, draws and token ids follow from seed and number alone. */
export const raltBatches = (
  model: LanguageModel,
  options: RaltBatchOptions,
): { readonly perEpoch: number; readonly at: (index: number) => Passes<RaltBatch> } => {
  const { questions, prompts, batchSize, seed, reduction, trainOnPrompt, passTokens } = options
  const sampler = dualEncoderSampler({ count: questions.length, batchSize, seed })
  const size = computedTokens(model, { trainOnPrompt })
  const layOut = answerLayout(model, { ...prompts.settings, trainOnPrompt })
  const examplesOf = (question: PreparedQuestion, epoch: number) => {
    const answer = prompts.answer(question.answer).ids
    return raltExamples(question, epoch, options).map(({ contexts, weight }) => {
      const prompt = prompts.prompt(question.query, contexts).ids
      return { prompt, answer, weight, tokens: answer.length + (trainOnPrompt ? prompt.length - 1 : 0) }
    })
  }
  const at = (index: number): Passes<RaltBatch> => {
    const { epoch, indices } = sampler.batchAt(index)
    const drawn = indices.map((place) => {
      const question = questions[place]!
      return { weight: question.weight ?? 1, examples: examplesOf(question, epoch) }
    })
    const weights = tokenWeights(drawn, reduction)
    const groups = drawn.map((question, group) => ({
      examples: question.examples.map((example, each) => ({ ...example, weight: weights[group]![each]! })),
      count: countOf(question, reduction),
    }))
    const [one, ...more] = groupPasses(groups, size, passTokens).map((part): RaltBatch => {
      const answers = layOut(part.map(({ examples }) => examples))
      const { key, statistics } = answers
      const nll = part.reduce((sum, { count }) => sum + count, 0)
      return { key, tensors: generatorTensors(answers), examples: part.length, counts: { nll }, statistics, answers }
    })
    return [one!, ...more]
  }
  return { perEpoch: sampler.batchesPerEpoch, at }
}

/**
 * What a question counts for in a mean over several passes: its weight times its examples' trained tokens, each as its
 * passage counts, or its weight alone where every question counts alike.
 */
const countOf = (
  { weight, examples }: { readonly weight: number; readonly examples: readonly WeighedExample[] },
  reduction: AnswerReduction,
): number => {
  const all = examples.reduce((sum, { weight: each }) => sum + each, 0)
  if (reduction === "example") return all === 0 ? 0 : weight
  return weight * examples.reduce((sum, { weight: each, tokens }) => sum + each * tokens, 0)
}
