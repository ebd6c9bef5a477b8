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
import { type CandidatePlaces, candidateInputs, candidatePlaces, prefixed } from "../retrieval/CandidateInputs.ts"
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

/** The passages that the data say answer a question, where its labels train the retriever as well. */
export interface Labelled {
  readonly ids: ReadonlySet<string>
  /** One of them, which is compared with the question where none was found; with its vector where passages are frozen. */
  readonly hit: Hit
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
  /** Whether questions have one more place, behind the k that are read, for a labelled passage that was not found. */
  readonly labelled: boolean
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
  /** What the data say of a question's passages; where absent, nobody asks. */
  readonly labels?: (question: JointQuestion) => Labelled | undefined
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
  const { questions, prompts, retrieval, seed, batchSize, k, passTokens, passages, labels } = options
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
    const read = candidatePlaces(found, k)
    const present = read.present.map((there, index) => there || (found.length === 0 && index === 0))
    const label = labels?.(question)
    return {
      ...(labels === undefined ? { found: read.found, present } : withLabelled(read, present, label)),
      question,
      encoded: ids,
      answer: answer.ids,
      label,
      examples: read.found.map((hit): AnswerExample => {
        const { ids: prompt } = prompts.prompt(question.query, hit === undefined ? [] : [hit.passage])
        return { prompt, answer: answer.ids, weight: 1 }
      }),
    }
  }
  type Group = ReturnType<typeof groupOf>

  const passOf = (groups: readonly Group[], total: Totals): JointBatch => {
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
      labelled: labels !== undefined,
      query: queries.shape,
      ...(read.shape === undefined ? {} : { passage: read.shape }),
    }
    return {
      key: `${count} x ${k} x ${answerTokens}; ${describeShape(queries.shape)}${read.shape === undefined ? "" : ` + ${describeShape(read.shape)}`}; ${answers.key}`,
      shape,
      answers,
      examples: count,
      counts: {
        nll: groups.reduce((sum, { answer }) => sum + answer.length, 0),
        ...(labels === undefined ? {} : { retrievalLoss: groups.filter(({ label }) => label !== undefined).length }),
      },
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
          groups.map(({ question }) => weightOf(question) / total.questions),
        ),
        ...(labels === undefined ? {} : labelTensors(groups, total)),
        ...generatorTensors(answers),
      },
    }
  }

  const complete = (drafts: readonly JointDraft[], hits: readonly (readonly Hit[])[]): Passes<JointBatch> => {
    const groups = drafts.map((each, index) => groupOf(each, hits[index] ?? []))
    const weigh = (some: readonly Group[]): number =>
      some.reduce((sum, { question }) => sum + weightOf(question), 0) || 1
    const total = { questions: weigh(groups), labelled: weigh(groups.filter(({ label }) => label !== undefined)) }
    const [one, ...more] = groupPasses(groups, size, passTokens).map((part) => passOf(part, total))
    return [one!, ...more]
  }
  return { perEpoch: sampler.batchesPerEpoch, draft, complete }
}

const weightOf = ({ weight = 1 }: JointQuestion): number => weight

/** Weights of a whole batch: of its questions, and of those that have a label. */
interface Totals {
  readonly questions: number
  readonly labelled: number
}

/** What was found for a question with one more place: for a passage that answers it, where none was found. */
const withLabelled = (
  { found }: CandidatePlaces,
  present: readonly boolean[],
  label: Labelled | undefined,
): CandidatePlaces => {
  const isThere = found.some((hit, index) => present[index] && hit !== undefined && label?.ids.has(hit.passage.id))
  return { found: [...found, label?.hit ?? found[0]], present: [...present, label !== undefined && !isThere] }
}

/** `answering` `[questions, k + 1] bool`, the places of passages that answer, and `label_weights` `[questions] f32`. */
const labelTensors = (
  groups: readonly (CandidatePlaces & { readonly question: JointQuestion; readonly label: Labelled | undefined })[],
  { labelled }: Totals,
) => {
  const [first] = groups
  const answering = groups.flatMap(({ found, present, label }) =>
    found.map((hit, index) => present[index] === true && hit !== undefined && label?.ids.has(hit.passage.id) === true),
  )
  return {
    answering: bool([groups.length, first?.found.length ?? 0], answering),
    label_weights: float32(
      [groups.length],
      groups.map(({ question, label }) => (label === undefined ? 0 : weightOf(question) / labelled)),
    ),
  }
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
