import { dualEncoderSampler } from "@tandem/collators"
import type { Prompts } from "@tandem/generator"
import type { AnswerReduction } from "@tandem/losses"
import type { LanguageModel } from "@tandem/models"
import type { Batch, Passes } from "@tandem/trainers"
import { type AnswerBatch, type AnswerExample, answerLayout } from "../generator/AnswerLayout.ts"
import { generatorTensors } from "../generator/CallGenerator.ts"
import { computedTokens, groupPasses } from "../generator/GroupPasses.ts"
import type { LabelledText } from "./LabelledText.ts"
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
  /** Texts that stand alone, each an example of its own; of decoders alone. */
  readonly texts?: readonly LabelledText[]
  readonly prompts: Pick<Prompts, "prompt" | "answer" | "settings">
  /** Questions and texts in a batch; each question brings `k` examples. */
  readonly batchSize: number
  readonly reduction: AnswerReduction
  /** Labels are all tokens of a prompt and its answer but the first; of decoders alone. */
  readonly trainOnPrompt: boolean
  /** A batch of more tokens is several passes, each of as many questions as stay below, and at least one. */
  readonly passTokens: number
}

/** A question's examples, or a text. */
interface Drawn {
  readonly weight: number
  readonly examples: readonly (AnswerExample & WeighedExample)[]
  /** Whether it is a text that stands alone. */
  readonly alone: boolean
}

/** The batches of a run by their number: order, draws and token ids follow from seed and number alone. */
export const raltBatches = (
  model: LanguageModel,
  options: RaltBatchOptions,
): { readonly perEpoch: number; readonly at: (index: number) => Passes<RaltBatch> } => {
  const { questions, texts = [], prompts, batchSize, seed, reduction, trainOnPrompt, passTokens } = options
  const sampler = dualEncoderSampler({ count: questions.length + texts.length, batchSize, seed })
  const size = computedTokens(model, { trainOnPrompt })
  const layOut = answerLayout(model, { ...prompts.settings, trainOnPrompt })
  const examplesOf = (question: PreparedQuestion, epoch: number) => {
    const answer = prompts.answer(question.answer).ids
    return raltExamples(question, epoch, options).map(({ contexts, weight }) => {
      const prompt = prompts.prompt(question.query, contexts).ids
      return { prompt, answer, weight, tokens: answer.length + (trainOnPrompt ? prompt.length - 1 : 0) }
    })
  }
  const textOf = ({ prompt, answer, labels, weight }: LabelledText): Drawn => {
    const tokens = trainOnPrompt ? prompt.length + answer.length - 1 : labels.filter(Boolean).length
    return { weight, examples: [{ prompt, answer, labels, weight: 1, tokens }], alone: true }
  }
  const drawnAt = (place: number, epoch: number): Drawn => {
    const question = questions[place]
    if (question === undefined) return textOf(texts[place - questions.length]!)
    return { weight: question.weight ?? 1, examples: examplesOf(question, epoch), alone: false }
  }
  const at = (index: number): Passes<RaltBatch> => {
    const { epoch, indices } = sampler.batchAt(index)
    const drawn = indices.map((place) => drawnAt(place, epoch))
    const weights = tokenWeights(drawn, reduction)
    const groups = drawn.map((question, group) => ({
      examples: question.examples.map((example, each) => ({ ...example, weight: weights[group]![each]! })),
      count: countOf(question, reduction),
      alone: question.alone,
    }))
    // Examples of one pass come in groups of one size.
    const passes = [false, true].flatMap((alone) =>
      groupPasses(
        groups.filter((group) => group.alone === alone),
        size,
        passTokens,
      ),
    )
    const [one, ...more] = passes.map((part): RaltBatch => {
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
