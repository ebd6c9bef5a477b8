import type { Passage } from "@tandem/datasets"
import type { Effect } from "effect"
import type { KnowledgeSourceError } from "./Errors.ts"

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
