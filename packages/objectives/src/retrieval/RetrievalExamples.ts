import type { Passage, RetrievalData } from "@tandem/datasets"
import { type RankedSystem, rankedExamples, type Section } from "@tandem/report"
import type { Measured, Systems } from "@tandem/runs"
import { Option, Schema } from "effect"
import { goldOf, type Ranked } from "./EvaluateTowers.ts"

/** Of how many questions what was found is kept, so that examples can be chosen after training; and how many passages. */
const kept = { questions: 2000, passages: 3 }

/** What a run keeps of a system's rankings, for the report's examples. */
export const keptRankings = (rankings: readonly (readonly Ranked[])[]): readonly (readonly Ranked[])[] =>
  rankings.slice(0, kept.questions).map((list) => list.slice(0, kept.passages))

const Rankings = Schema.Array(Schema.Array(Schema.Struct({ id: Schema.String, score: Schema.Number })))

/** Evaluation questions, chosen by what training did to them, with what each system found. */
export const retrievalExamples = (
  { dev, corpus }: { readonly dev: RetrievalData; readonly corpus: ReadonlyMap<string, Passage> },
  { before, after, baselines }: Systems,
): Section => {
  const questions = dev.examples.map((example) => ({ ...example, gold: [...goldOf(example)] }))
  const judged = questions.map(({ gold }) => gold.length > 0)
  const answered = questions.map(({ answers }) => answers.length > 0)
  const system = (name: string, color: RankedSystem["color"], measured: Measured | undefined): RankedSystem[] => {
    if (measured === undefined) return []
    const { shown, perQuestion } = measured
    const rankings = Option.getOrElse(Schema.decodeUnknownOption(Rankings)(shown), () => [])
    const ranks = perQuestion["mrr@10"]
    if (ranks === undefined) {
      return [{ name, color, rankings, scores: inPlaces(answered, perQuestion["answerRecall@5"] ?? []) }]
    }
    const scores = inPlaces(judged, ranks)
    return [{ name, color, rankings, scores, places: scores.map((rank) => Math.round(1 / rank)) }]
  }
  const systems = [
    ...system("before", "grey", before),
    ...system("BM25", "amber", baselines["bm25"]),
    ...system("after", "teal", after),
  ]
  return rankedExamples({ questions, systems, before: "before", after: "after", passage: (id) => corpus.get(id) })
}

/** Values of those questions that have one, in the places of all questions. */
const inPlaces = (having: readonly boolean[], values: readonly number[]): readonly number[] => {
  let next = 0
  return having.map((has) => (has ? (values[next++] ?? Number.NaN) : Number.NaN))
}
