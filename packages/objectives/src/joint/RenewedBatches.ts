import { dualEncoderSampler } from "@tandem/collators"
import type { Passage } from "@tandem/datasets"
import type { TokenPrompt } from "@tandem/generator"
import type { Encoded } from "@tandem/models"
import { bool, float32, int64 } from "@tandem/onnx"
import { encodeInput, encoderOf } from "@tandem/retriever"
import type { Hit } from "@tandem/store"
import type { Batch, Passes } from "@tandem/trainers"
import { type AnswerBatch, type AnswerExample, answerLayout } from "../generator/AnswerLayout.ts"
import { generatorTensors } from "../generator/CallGenerator.ts"
import { computedTokens, groupPasses } from "../generator/GroupPasses.ts"
import { candidateInputs, candidatePlaces, prefixed } from "../retrieval/CandidateInputs.ts"
import type { CandidateShape } from "../retrieval/CandidateScores.ts"
import { describeShape, encoderBatch } from "../retrieval/EncoderBatch.ts"
import { encodingOf } from "../retrieval/RetrievalSettings.ts"
import { answerPlaces, answerTokensOf, type JointBatchOptions, type JointQuestion } from "./JointBatches.ts"
import type { JointModels } from "./JointModels.ts"
import { renewals, renewedQuery } from "./RenewedQueries.ts"

/** A question of a batch with all that is searched for along its answer. */
export interface RenewedDraft {
  readonly question: JointQuestion
  readonly answer: TokenPrompt
  /** The question, and the question with ever more of its answer. */
  readonly texts: readonly string[]
  readonly encoded: readonly Encoded[]
}

/** The shapes of a pass. */
export interface RenewedShape {
  readonly questions: number
  /** Retrievals of a question: that with the longest answer has so many. */
  readonly retrievals: number
  /** Passages of a retrieval. */
  readonly k: number
  /** Different passages of a question, all its retrievals together, rounded up. */
  readonly prompts: number
  readonly answerTokens: number
  /** Each retrieval is a question of its own with its candidates. */
  readonly candidates: CandidateShape
}

/** One pass over some of a batch's questions. */
export interface RenewedBatch extends Batch {
  readonly shape: RenewedShape
  readonly answers: AnswerBatch
}

/**
 * Batches of RAG-Token with renewed retrieval: of each question every beginning of its answer is searched for, once every
 * `renewEvery` tokens, and each different passage that any of them found is prompted with once.
 */
export const renewedBatches = (
  { towers, generator }: JointModels,
  options: JointBatchOptions & { readonly renewEvery: number },
) => {
  const { questions, prompts, retrieval, seed, batchSize, k, passTokens, passages, renewEvery } = options
  const sampler = dualEncoderSampler({ count: questions.length, batchSize, seed })
  const query = encoderOf(towers, "query")
  const size = computedTokens(generator)
  const layOut = answerLayout(generator, prompts.settings)
  const textFor = renewedQuery({ query, generator, retrieval })
  const candidates = candidateInputs(towers, retrieval, passages)
  const promptMultiple = Math.max(1, Math.ceil(k / 2))

  const draft = (index: number): readonly RenewedDraft[] =>
    sampler.batchAt(index).indices.map((place) => {
      const question = questions[place]!
      const answer = prompts.answer(question.answer)
      const texts = renewals(answer.ids.length, renewEvery).map((count) =>
        textFor(question.query, answer.ids.slice(0, count)),
      )
      const encoded = texts.map((text) => encodeInput(query, text, "query", encodingOf(retrieval, "query")))
      return { question, answer, texts, encoded }
    })

  /** A question with the different passages that its retrievals found, and where each retrieval's stand among them. */
  const groupOf = ({ question, answer, encoded }: RenewedDraft, found: readonly (readonly Hit[])[]) => {
    const different = new Map<string, Passage>()
    for (const { passage } of found.flat()) if (!different.has(passage.id)) different.set(passage.id, passage)
    const order = [...different.keys()]
    const contexts = different.size === 0 ? [[]] : [...different.values()].map((passage) => [passage])
    return {
      question,
      encoded,
      answer: answer.ids,
      found,
      places: found.map((hits) => hits.map(({ passage }) => order.indexOf(passage.id))),
      examples: contexts.map((context): AnswerExample => {
        const { ids } = prompts.prompt(question.query, context)
        return { prompt: ids, answer: answer.ids, weight: 1 }
      }),
    }
  }
  type Group = ReturnType<typeof groupOf>

  const passOf = (groups: readonly Group[], total: number): RenewedBatch => {
    const count = groups.length
    const retrievals = Math.max(...groups.map(({ encoded }) => encoded.length))
    const most = Math.max(...groups.map(({ examples }) => examples.length))
    const shown = Math.ceil(most / promptMultiple) * promptMultiple
    const places = <A>(value: (group: Group, place: number) => A, length: number): A[] =>
      groups.flatMap((group) => Array.from({ length }, (_, place) => value(group, place)))
    const answers = layOut(
      groups.map(({ examples }) => Array.from({ length: shown }, (_, place) => examples[place] ?? examples[0]!)),
    )
    const queries = encoderBatch(
      query,
      places(({ encoded }, place) => encoded[place] ?? encoded[0]!, retrievals),
      retrieval.maxLength.query,
    )
    const read = candidates(places(({ found }, place) => candidatePlaces(found[place] ?? [], k), retrievals))
    const answerTokens = answerTokensOf(groups)
    const shape: RenewedShape = {
      questions: count,
      retrievals,
      k,
      prompts: shown,
      answerTokens,
      candidates: {
        questions: count * retrievals,
        k,
        query: queries.shape,
        ...(read.shape === undefined ? {} : { passage: read.shape }),
      },
    }
    const sizes = [count, retrievals, k, shown, answerTokens].join(" x ")
    return {
      key: `renewed ${sizes}; ${describeShape(queries.shape)}${read.shape === undefined ? "" : ` + ${describeShape(read.shape)}`}; ${answers.key}`,
      shape,
      answers,
      examples: count,
      counts: { nll: groups.reduce((sum, { answer }) => sum + answer.length, 0) },
      statistics: {
        ...answers.statistics,
        retrievals: groups.reduce((sum, { encoded }) => sum + encoded.length, 0) / count,
        prompts: groups.reduce((sum, { examples }) => sum + examples.length, 0) / count,
      },
      tensors: {
        ...prefixed("query", queries.tensors),
        ...read.tensors,
        retrieved: int64(
          [count, retrievals, k],
          places(
            (group, place) => Array.from({ length: k }, (_, each) => group.places[place]?.[each] ?? 0),
            retrievals,
          ).flat(),
        ),
        segments: int64(
          [count, answerTokens],
          places(({ encoded }, token) => Math.min(encoded.length - 1, Math.floor(token / renewEvery)), answerTokens),
        ),
        answer_places: int64([count, shown, answerTokens], answerPlaces(groups, shown, answerTokens)),
        answer_mask: bool(
          [count, answerTokens],
          places(({ answer }, token) => token < answer.length, answerTokens),
        ),
        question_weights: float32(
          [count],
          groups.map(({ question }) => (question.weight ?? 1) / total),
        ),
        ...generatorTensors(answers),
      },
    }
  }

  /** `hits`: what was found for all texts of all drafts, one after the other. */
  const complete = (drafts: readonly RenewedDraft[], hits: readonly (readonly Hit[])[]): Passes<RenewedBatch> => {
    let at = 0
    const groups = drafts.map((each) =>
      groupOf(
        each,
        each.texts.map(() => hits[at++] ?? []),
      ),
    )
    const total = groups.reduce((sum, { question }) => sum + (question.weight ?? 1), 0)
    const [one, ...more] = groupPasses(groups, size, passTokens).map((part) => passOf(part, total === 0 ? 1 : total))
    return [one!, ...more]
  }
  return { perEpoch: sampler.batchesPerEpoch, draft, complete }
}
