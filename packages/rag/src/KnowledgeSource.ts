import type { Passage } from "@tandem/datasets"
import { Effect } from "effect"
import { KnowledgeSourceError } from "./Errors.ts"

/** A passage that a source found; a higher score is a better one. */
export interface FoundPassage {
  readonly passage: Passage
  readonly score: number
}

/**
 * Where passages come from without encoding anything: a search engine, a tool server, a function. For each question its `k`
 * best passages, best first. What has no scores of its own gives equal ones.
 */
export interface KnowledgeSource {
  /** What it is called in records. */
  readonly name: string
  readonly search: (
    questions: readonly string[],
    k: number,
  ) => Effect.Effect<readonly (readonly FoundPassage[])[], KnowledgeSourceError>
}

/** A passage as a function finds it; without a score it counts as much as the others. */
export interface SourcePassage extends Passage {
  readonly score?: number
}

/**
 * A function as a knowledge source: `find` gives the best passages of a question, best first. What it throws, or a passage
 * without an id or a text, ends in `KnowledgeSource`.
 */
export const sourceOf = (
  name: string,
  find: (question: string, k: number, signal: AbortSignal) => Promise<readonly SourcePassage[]>,
): KnowledgeSource => ({
  name,
  search: (questions, k) =>
    Effect.forEach(
      questions,
      (question) =>
        Effect.tryPromise({
          try: async (signal) => (await find(question, k, signal)).slice(0, k).map((each) => checked(name, each)),
          catch: (cause) =>
            cause instanceof KnowledgeSourceError
              ? cause
              : new KnowledgeSourceError({
                  message: `${name} found no passages: ${cause instanceof Error ? cause.message : String(cause)}`,
                  field: name,
                }),
        }),
      { concurrency: 4 },
    ),
})

const checked = (name: string, { score = 0, ...passage }: SourcePassage): FoundPassage => {
  if (typeof passage.id === "string" && typeof passage.text === "string" && Number.isFinite(score))
    return { passage, score }
  throw new KnowledgeSourceError({
    message: `${name} found something that is no passage`,
    field: name,
    expected: "an id, a text and a finite score",
    found: JSON.stringify({ ...passage, score })?.slice(0, 200) ?? "nothing",
  })
}
