import { dualEncoderSampler } from "@tandem/collators"
import type { Prompts } from "@tandem/generator"
import type { AnswerReduction } from "@tandem/losses"
import type { LanguageModel } from "@tandem/models"
import type { Batch, Passes } from "@tandem/trainers"
import { type AnswerBatch, type AnswerExample, answerLayout } from "../generator/AnswerLayout.ts"
import { generatorTensors } from "../generator/CallGenerator.ts"
import type { PreparedQuestion } from "./PreparedQuestion.ts"
import { type RaltDraw, raltExamples } from "./RaltExamples.ts"
import { tokenWeights } from "./TokenWeights.ts"

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
  const shares = model.kind === "decoder" && model.source.kind === "weights" && !trainOnPrompt
  const size = (examples: readonly AnswerExample[]): number => (shares ? sharedSize(examples) : wholeSize(examples))
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
    // Neighbours of about one length: little padding, and passes of few shapes.
    const groups = drawn
      .map(({ examples }, group) => examples.map((example, each) => ({ ...example, weight: weights[group]![each]! })))
      .sort((a, b) => size(b) - size(a))
    const [first = [], ...rest] = groups
    const parts: (typeof groups)[] = [[first]]
    let tokens = size(first)
    for (const group of rest) {
      tokens += size(group)
      if (tokens > passTokens) {
        parts.push([])
        tokens = size(group)
      }
      parts.at(-1)!.push(group)
    }
    const [one, ...more] = parts.map((part): RaltBatch => {
      const answers = layOut(part)
      const { key, statistics } = answers
      return { key, tensors: generatorTensors(answers), examples: part.length, statistics, answers }
    })
    return [one!, ...more]
  }
  return { perEpoch: sampler.batchesPerEpoch, at }
}

/** Tokens of a question's examples. */
const wholeSize = (examples: readonly AnswerExample[]): number =>
  examples.reduce((sum, { prompt, answer }) => sum + prompt.length + answer.length, 0)

/** The same with what they share counted once: they begin alike up to their passages. */
const sharedSize = (examples: readonly AnswerExample[]): number => {
  const [first] = examples
  if (first === undefined) return 0
  const longest = Math.min(...examples.map(({ prompt }) => prompt.length))
  let shared = 0
  while (shared < longest && examples.every(({ prompt }) => prompt[shared] === first.prompt[shared])) shared++
  return shared + examples.reduce((sum, { prompt, answer }) => sum + prompt.length - shared + answer.length, 0)
}
