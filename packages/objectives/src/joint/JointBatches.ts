import { dualEncoderSampler } from "@tandem/collators"
import type { Prompts, TokenPrompt } from "@tandem/generator"
import type { Encoded, LanguageModel } from "@tandem/models"
import { bool, float32, int64 } from "@tandem/onnx"
import { encodeInput, encoderOf, type Towers } from "@tandem/retriever"
import type { Hit } from "@tandem/store"
import type { Batch, Passes } from "@tandem/trainers"
import { type AnswerBatch, type AnswerExample, answerLayout } from "../generator/AnswerLayout.ts"
import { generatorTensors } from "../generator/CallGenerator.ts"
import { computedTokens, groupPasses } from "../generator/GroupPasses.ts"
import { candidateInputs, candidatePlaces, prefixed } from "../retrieval/CandidateInputs.ts"
import type { CandidateShape } from "../retrieval/CandidateScores.ts"
import { describeShape, encoderBatch } from "../retrieval/EncoderBatch.ts"
import { remembered } from "../retrieval/Remembered.ts"
import { encodingOf, type RetrievalSettings } from "../retrieval/RetrievalSettings.ts"

/** A question with the answer that is trained on. Which passage answers it, nobody says. */
export interface JointQuestion {
  readonly id: string
  readonly query: string
  readonly answer: string
  /** What the question counts for; 1 where absent. */
  readonly weight?: number
}

/** A question of a batch, before anything is retrieved for it. */
export interface JointDraft {
  readonly question: JointQuestion
  readonly encoded: Encoded
  readonly answer: TokenPrompt
}

/** The shapes of a pass. */
export interface JointShape extends CandidateShape {
  /** Tokens of the longest answer, rounded up. */
  readonly answerTokens: number
}

/** One pass over some of a batch's questions, each with its k passages. */
export interface JointBatch extends Batch {
  readonly shape: JointShape
  readonly answers: AnswerBatch
}

/** What batches are made of. */
export interface JointBatchOptions {
  readonly questions: readonly JointQuestion[]
  readonly prompts: Pick<Prompts, "prompt" | "answer" | "settings">
  readonly retrieval: RetrievalSettings
  readonly seed: number
  /** Questions in a batch. */
  readonly batchSize: number
  /** Passages of a question. */
  readonly k: number
  /** A batch of more of the generator's tokens is several passes, each of as many questions as stay below, at least one. */
  readonly passTokens: number
  /** `live`: passages are encoded in the step, so that their encoder learns; `frozen`: stored vectors are read. */
  readonly passages: "frozen" | "live"
}

/** Answers are rounded up to this many tokens. */
const answerMultiple = 8

/** Tokens of the longest of some answers, rounded up. */
export const answerTokensOf = (groups: readonly { readonly answer: readonly number[] }[]): number =>
  Math.ceil(Math.max(...groups.map(({ answer }) => answer.length)) / answerMultiple) * answerMultiple

/**
 * The batches of a run. A draft follows from seed and number alone. What was found for its questions makes it a batch: k
 * prompts a question, the stored vectors or the passages' own tokens, and where each answer's tokens stand among the
 * generator's logits. A question for which less than k was found is filled up by its best passage, in places that are
 * marked as empty and count for nothing; one for which nothing was found is asked without context, in its first place alone,
 * so that its loss is the generator's own.
 */
export const jointBatches = (
  models: { readonly towers: Towers; readonly generator: LanguageModel },
  options: JointBatchOptions,
) => {
  const { towers, generator } = models
  const { questions, prompts, retrieval, seed, batchSize, k, passTokens, passages } = options
  const sampler = dualEncoderSampler({ count: questions.length, batchSize, seed })
  const query = encoderOf(towers, "query")
  const size = computedTokens(generator)
  const layOut = answerLayout(generator, prompts.settings)
  const encoded = remembered((text: string) => encodeInput(query, text, "query", encodingOf(retrieval, "query")))
  const candidates = candidateInputs(towers, retrieval, passages)

  const draft = (index: number): readonly JointDraft[] =>
    sampler.batchAt(index).indices.map((place) => {
      const question = questions[place]!
      return { question, encoded: encoded(question.query), answer: prompts.answer(question.answer) }
    })

  const groupOf = ({ question, encoded: ids, answer }: JointDraft, found: readonly Hit[]) => {
    const places = candidatePlaces(found, k)
    return {
      ...places,
      question,
      encoded: ids,
      answer: answer.ids,
      present: places.present.map((there, index) => there || (found.length === 0 && index === 0)),
      examples: places.found.map((hit): AnswerExample => {
        const { ids: prompt } = prompts.prompt(question.query, hit === undefined ? [] : [hit.passage])
        return { prompt, answer: answer.ids, weight: 1 }
      }),
    }
  }
  type Group = ReturnType<typeof groupOf>

  const passOf = (groups: readonly Group[], total: number): JointBatch => {
    const answers = layOut(groups.map(({ examples }) => examples))
    const queries = encoderBatch(
      query,
      groups.map((group) => group.encoded),
      retrieval.maxLength.query,
    )
    const answerTokens = answerTokensOf(groups)
    const count = groups.length
    const read = candidates(groups)
    const shape: JointShape = {
      questions: count,
      k,
      answerTokens,
      query: queries.shape,
      ...(read.shape === undefined ? {} : { passage: read.shape }),
    }
    return {
      key: `${count} x ${k} x ${answerTokens}; ${describeShape(queries.shape)}${read.shape === undefined ? "" : ` + ${describeShape(read.shape)}`}; ${answers.key}`,
      shape,
      answers,
      examples: count,
      counts: { nll: groups.reduce((sum, { answer }) => sum + answer.length, 0) },
      statistics: answers.statistics,
      tensors: {
        ...prefixed("query", queries.tensors),
        ...read.tensors,
        answer_places: int64([count, k, answerTokens], answerPlaces(groups, k, answerTokens)),
        answer_mask: bool(
          [count, answerTokens],
          groups.flatMap(({ answer }) => Array.from({ length: answerTokens }, (_, token) => token < answer.length)),
        ),
        question_weights: float32(
          [count],
          groups.map(({ question }) => (question.weight ?? 1) / total),
        ),
        ...generatorTensors(answers),
      },
    }
  }

  const complete = (drafts: readonly JointDraft[], hits: readonly (readonly Hit[])[]): Passes<JointBatch> => {
    const groups = drafts.map((each, index) => groupOf(each, hits[index] ?? []))
    const total = groups.reduce((sum, { question }) => sum + (question.weight ?? 1), 0)
    const [one, ...more] = groupPasses(groups, size, passTokens).map((part) => passOf(part, total === 0 ? 1 : total))
    return [one!, ...more]
  }
  return { perEpoch: sampler.batchesPerEpoch, draft, complete }
}

/**
 * Where each token of each answer stands among the generator's places of logits: the labels of all examples one after the
 * other. Behind an answer's end the number is its last token's, where the mask is 0.
 */
export const answerPlaces = (
  groups: readonly { readonly answer: readonly number[] }[],
  k: number,
  tokens: number,
): readonly number[] => {
  const places: number[] = []
  let start = 0
  for (const { answer } of groups)
    for (let example = 0; example < k; example++) {
      for (let token = 0; token < tokens; token++) places.push(start + Math.min(token, answer.length - 1))
      start += answer.length
    }
  return places
}
