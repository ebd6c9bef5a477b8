import type { ModelError } from "@tandem/models"
import type { Retrieve } from "@tandem/retriever"
import type { Runtime } from "@tandem/runtime"
import type { Hit, SearchError } from "@tandem/store"
import { Effect } from "effect"
import type { TaughtHit } from "./LsrBatches.ts"
import type { LsrLossSettings } from "./LsrLoss.ts"
import type { TaughtBatch, TaughtCandidates } from "./LsrObjective.ts"
import type { ScoredPair, TaughtQuestion } from "./TaughtQuestion.ts"
import type { ScorePairs } from "./Teacher.ts"

/** Has a teacher score what was found for questions. */
export type Teach<E, R> = (
  questions: readonly TaughtQuestion[],
  hits: readonly (readonly Hit[])[],
  progress?: (done: number, total: number) => void,
) => Effect.Effect<TaughtBatch, E, R>

/**
 * What a teacher reads for each candidate: the candidate alone, or for `loop` all of the question's others, best first; of a
 * single one, nothing.
 */
export const teachBy =
  <E, R>(score: ScorePairs<E, R>, loss: LsrLossSettings["kind"]): Teach<E, R> =>
  (questions, hits, progress) => {
    const pairs = questions.map(({ query, answer }, index) => {
      const passages = (hits[index] ?? []).map(({ passage }) => passage)
      return passages.map((passage, place): ScoredPair => {
        const contexts = loss === "loop" ? passages.filter((_, other) => other !== place) : [passage]
        return { query, answer, contexts: contexts.map(({ title, text }) => ({ title, text })) }
      })
    })
    return Effect.map(score(pairs.flat(), progress), ({ scores, asked }) => {
      let at = 0
      const taught = questions.map((_, index) =>
        (hits[index] ?? []).map((hit): TaughtHit => {
          const { logprob, tokens } = scores[at++]!
          return { hit, taught: { value: logprob, tokens } }
        }),
      )
      return { hits: taught, asked }
    })
  }

/** Candidates that were found and scored before training. */
export const fixedCandidates = (
  found: ReadonlyMap<TaughtQuestion, readonly TaughtHit[]>,
): TaughtCandidates<never, never> => ({
  kind: "fixed",
  taught: (questions) =>
    Effect.sync(() => ({ hits: questions.map((question) => found.get(question) ?? []), asked: 0 })),
})

/** Candidates that are searched with the weights of each step; the teacher is asked for those that it has not scored yet. */
export const renewedCandidates = <E, R>(
  { search, k }: { readonly search: Retrieve; readonly k: number },
  teach: Teach<E, R>,
): TaughtCandidates<E | ModelError | SearchError, R | Runtime> => ({
  kind: "renewed",
  taught: (questions, { weights }) =>
    Effect.flatMap(
      search(
        weights,
        questions.map(({ query }) => query),
        k,
      ),
      (hits) => teach(questions, hits),
    ),
})

/**
 * The candidates with the positive in the first place: one that the data say answers, else the teacher's best. What a margin
 * is measured from.
 */
export const positiveFirst = ({ gold }: TaughtQuestion, taught: readonly TaughtHit[]): readonly TaughtHit[] => {
  const best = taught.reduce(
    (place, { taught: { value } }, index) => (value > taught[place]!.taught.value ? index : place),
    0,
  )
  const known = taught.findIndex(({ hit }) => gold.has(hit.passage.id))
  const first = known < 0 ? best : known
  return taught.length === 0 ? [] : [taught[first]!, ...taught.filter((_, index) => index !== first)]
}
