import type { Prompts } from "@tandem/generator"
import type { LanguageModel } from "@tandem/models"
import type { RetrievalSettings } from "@tandem/objectives/retrieval/RetrievalSettings"
import type { Tower } from "@tandem/retriever"
import type { KnowledgeStoreShape } from "@tandem/store"
import type { KnowledgeSource } from "./KnowledgeSource.ts"
import type { AskDecoding } from "./RagSystem.ts"

/** An index with the towers that it is searched with. */
export interface Searched {
  /** What the encoder is called in records. */
  readonly model: string
  readonly query: Tower
  /** The tower that made the index; the same object as `query` where one serves both. */
  readonly passage: Tower
  readonly retrieval: RetrievalSettings
  /** An index that the passage tower made: whoever opens it checks that (`openIndex` of `@tandem/retriever`). */
  readonly store: KnowledgeStoreShape
  /** What the index is called in records. */
  readonly name: string
}

/** What answers, and how it was trained to. */
export interface Reader {
  /** What the model is called in records. */
  readonly name: string
  readonly model: LanguageModel
  readonly prompts: Prompts
  readonly decoding: AskDecoding
  /** Tokens of an answer after which passages are searched again, where it was trained so. */
  readonly renewEvery?: number
}

/** Where passages come from. */
export type Knowledge = Searched | KnowledgeSource

/** What a system is made of. */
export interface RagParts {
  readonly name: string
  /** Passages that a question is answered from. */
  readonly k: number
  /** τ: scores are divided by it before their softmax is the passages' prior. */
  readonly temperature: number
  readonly knowledge: Knowledge
  readonly reader?: Reader
}

/** Whether passages come from elsewhere than an index. */
export const isSource = (knowledge: Knowledge): knowledge is KnowledgeSource => "search" in knowledge
