import type { TaughtHit } from "./LsrBatches.ts"
import type { TaughtQuestion } from "./TaughtQuestion.ts"

/**
 * Of the questions whose candidates hold a passage that the data name: for how many it is the retriever's first, and for how
 * many the one with which the teacher finds the answer likeliest.
 */
export interface LabelledPicks {
  readonly questions: number
  readonly retriever: number
  readonly teacher: number
}

/** Counts what a teacher could teach; candidates come best first. */
export const labelledPicks = (found: ReadonlyMap<TaughtQuestion, readonly TaughtHit[]>): LabelledPicks => {
  const named = [...found].flatMap(([{ gold }, hits]) => {
    const isGold = ({ hit }: TaughtHit): boolean => gold.has(hit.passage.id)
    if (!hits.some(isGold)) return []
    const likeliest = hits.reduce((best, each) => (each.taught.value > best.taught.value ? each : best))
    return [{ retriever: isGold(hits[0]!), teacher: isGold(likeliest) }]
  })
  return {
    questions: named.length,
    retriever: named.filter(({ retriever }) => retriever).length,
    teacher: named.filter(({ teacher }) => teacher).length,
  }
}

/** Fewer questions tell nothing. */
const enough = 20

/** What there is to say of a teacher that knows no better than the retriever. */
export const pickWarnings = ({ questions, retriever, teacher }: LabelledPicks): readonly string[] =>
  questions < enough || teacher > retriever
    ? []
    : [
        `the answer is likeliest to the teacher with the passage that the data name for ${teacher} of ${questions} questions, and the retriever finds it first for ${retriever}: this teacher knows no better than the retriever; fine-tune it first (tandem ralt train), or take another`,
      ]
