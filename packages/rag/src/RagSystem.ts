import type { Finish, RagDecoding } from "@tandem/generator"
import type { Similarity } from "@tandem/onnx"
import type { Device } from "@tandem/runtime"
import { Context, type Effect, type Stream } from "effect"
import type { RagError } from "./Errors.ts"

/** What a system is made of. */
export interface RagFacts {
  /** What it is called: the run folder's name. */
  readonly name: string
  /** Passages that a question is answered from where nobody says how many. */
  readonly k: number
  /** The encoder; absent where a knowledge source finds passages. */
  readonly encoder?: {
    readonly model: string
    /** Numbers of an embedding. */
    readonly dimension: number
    readonly similarity: Similarity
    /** Longest question and longest passage in tokens. */
    readonly maxLength: { readonly query: number; readonly passage: number }
  }
  /** What is searched. */
  readonly knowledge: {
    readonly name: string
    /** Passages; absent where a knowledge source does not tell. */
    readonly passages?: number
  }
  /** The language model; absent where questions cannot be answered. */
  readonly generator?: {
    readonly model: string
    /** Most tokens of a prompt and of an answer. */
    readonly maxPrompt: number
    readonly maxAnswer: number
    /** How answers are found where nobody says how. */
    readonly decoding: AskDecoding
  }
  readonly device: Device
}

/** A passage that was found. */
export interface Source {
  readonly id: string
  readonly title?: string
  readonly text: string
  /** Its similarity to the question, higher is better. */
  readonly score: number
  /** Its share among the passages found, before an answer is known: the softmax of their scores over τ. */
  readonly weight: number
}

/** A passage that an answer was read from. */
export interface AnswerSource extends Source {
  /** Its share before the answer is known. */
  readonly prior: number
  /** How much of the answer it explains; sums to 1 over the sources. */
  readonly weight: number
}

/** A token of an answer. */
export interface AnswerToken {
  /** What it adds to the answer; the texts of all tokens are the answer, blanks around it aside. */
  readonly text: string
  /** log p of it with the passages summed out, nats. */
  readonly logprob: number
  /** What each source contributes to it, in their order; sums to 1. */
  readonly weights: readonly number[]
}

/** An answer, with where it came from. */
export interface Answer {
  readonly answer: string
  /** log p(answer | question), nats, the passages summed out, and its mean a token. */
  readonly confidence: { readonly logprob: number; readonly perToken: number }
  /** The passages that were read, best first. */
  readonly sources: readonly AnswerSource[]
  readonly tokens: readonly AnswerToken[]
  /** Why it ended: by a token that ends texts, or at its longest. */
  readonly finish: Finish
  /** Tokens of all prompts that were read for it. */
  readonly promptTokens: number
}

/**
 * How an answer is found: over the mixture of prompts with a passage each (`RagDecoding`), or `together`, greedily from one
 * prompt that holds all passages, whose sources weigh what they weighed before.
 */
export type AskDecoding = RagDecoding | { readonly kind: "together" }

/** What one question asks for. */
export interface AskOptions {
  /** Passages that are read; as the run was trained where absent. */
  readonly k?: number
  /** As the run was trained where absent. */
  readonly decoding?: AskDecoding
  /** Most tokens of the answer; as the run was trained where absent, and at most that. */
  readonly maxTokens?: number
}

/** What happens while an answer is written: first its sources, then its tokens, and at the end all of it. */
export type AskEvent =
  | { readonly type: "sources"; readonly sources: readonly Source[] }
  | { readonly type: "token"; readonly token: AnswerToken }
  | { readonly type: "done"; readonly answer: Answer }

/** Which prompt of the encoder stands before a text. */
export type EmbedAs = "query" | "passage"

/** Texts that are about to be embedded. */
export interface TokenizedTexts {
  /** Tokens of each text. */
  readonly counts: readonly number[]
  /** As `RagSystem.embed`. */
  readonly embed: Effect.Effect<readonly Float32Array[], RagError>
}

/** Finds passages and answers from them. */
export interface RagSystem {
  readonly facts: RagFacts

  /** The `k` best passages of a question, best first. */
  readonly retrieve: (question: string, options?: { readonly k?: number }) => Effect.Effect<readonly Source[], RagError>

  /** One vector for each text, as they lie in the index: `[dimension]` f32. */
  readonly embed: (
    texts: readonly string[],
    options: { readonly as: EmbedAs },
  ) => Effect.Effect<readonly Float32Array[], RagError>

  /** The same in two steps: how many tokens it will read is known before it does. */
  readonly tokenize: (
    texts: readonly string[],
    options: { readonly as: EmbedAs },
  ) => Effect.Effect<TokenizedTexts, RagError>

  readonly ask: (question: string, options?: AskOptions) => Effect.Effect<Answer, RagError>

  /**
   * An answer while it is written: greedy decoding tells each token as soon as it is chosen, anything else tells all of them at
   * the end. Whoever stops listening stops the writing.
   */
  readonly askStream: (question: string, options?: AskOptions) => Stream.Stream<AskEvent, RagError>

  /** Answers in the order of the questions, which are read side by side. */
  readonly askBatch: (questions: readonly string[], options?: AskOptions) => Effect.Effect<readonly Answer[], RagError>
}

/** The system that answers: a retriever with its index, or a knowledge source, and a language model where there is one. */
export class Rag extends Context.Service<Rag, RagSystem>()("@tandem/rag/Rag") {}
