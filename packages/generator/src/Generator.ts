import type { ModelError } from "@tandem/models"
import { Context, type Effect, type Stream } from "effect"
import type { InvalidGeneration, InvalidPrompt, InvalidTemplate, RemoteFailed } from "./Errors.ts"

/** One turn of a conversation. */
export interface Message {
  readonly role: string
  readonly content: string
}

/** A prompt as a local model reads it: every token of it, special ones included. */
export interface TokenPrompt {
  readonly ids: readonly number[]
}

/**
 * What a model is given: a text as it stands (the tokenizer puts its special tokens around it), the turns of a conversation,
 * which the model's chat template lays out up to where the assistant's answer begins, or token ids, which a local model
 * alone can read.
 */
export type ModelInput = string | readonly Message[] | TokenPrompt

/** One answer under several prompts, such as a question with each of its passages. */
export interface ScoreRequest {
  readonly prompts: readonly ModelInput[]
  /**
   * A text, tokenized by itself and joined to each prompt, with the model's end-of-sequence token behind it; or token ids,
   * which stand as they are.
   */
  readonly answer: string | TokenPrompt
}

/** An answer's likelihood under one prompt. */
export interface Score {
  /** log p of each of the answer's tokens, nats, in order. */
  readonly perToken: readonly number[]
  /** Their sum, log p(answer | prompt). */
  readonly logprob: number
}

/** How the next token is chosen. */
export type Decoding =
  /** The likeliest one. */
  | { readonly kind: "greedy" }
  /** The `beams` likeliest beginnings are kept at each step (transformers' `generate` with `num_beams`). */
  | {
      readonly kind: "beam"
      readonly beams: number
      /** A finished text's score is its log-likelihood over its generated tokens to this power; 1 where absent. */
      readonly lengthPenalty?: number
      /** Whether search ends as soon as `beams` texts have ended; false where absent: it goes on while a better one may come. */
      readonly earlyStopping?: boolean
      /** Texts that come back for each prompt, at most `beams`; 1 where absent. */
      readonly sequences?: number
    }
  /** Drawn from the softmax, after it was narrowed in this order: temperature, the k likeliest, the likeliest that reach p. */
  | {
      readonly kind: "sample"
      /** Logits are divided by it; 1 where absent. Above 0. */
      readonly temperature?: number
      readonly topK?: number
      readonly topP?: number
      /** Equal seeds draw equal texts, whatever stands beside a prompt in its batch; 0 where absent. */
      readonly seed?: number
      /** Texts that are drawn for each prompt; 1 where absent. */
      readonly sequences?: number
    }

/** What an answer has to be, where the endpoint can hold its model to it. */
export type OutputFormat =
  /** Any JSON object. */
  | { readonly kind: "object" }
  /** JSON that fits a JSON schema; `name` is what the schema is called there. */
  | { readonly kind: "schema"; readonly name: string; readonly schema: Readonly<Record<string, unknown>> }

export interface GenerateOptions {
  /** `greedy` where absent. */
  readonly decoding?: Decoding
  /** Most tokens of an answer; 64 where absent. */
  readonly maxTokens?: number
  /**
   * Logits of tokens that the prompt or the answer holds already are divided by it where positive, else multiplied (Keskar
   * et al., CTRL, 2019); 1 where absent.
   */
  readonly repetitionPenalty?: number
  /** An answer ends before the first of these; it does not hold it. */
  readonly stop?: readonly string[]
  /** Of remote models' conversations alone; any text where absent. */
  readonly format?: OutputFormat
}

/** Tokens that were read and written, as the endpoint counts and charges them. */
export interface Usage {
  readonly inputTokens: number
  /** Those of thoughts included. */
  readonly outputTokens: number
}

/** Why an answer ended: by a token that ends texts, before a stop text, or at its longest. */
export type Finish = "end" | "stop" | "length"

/** A generated answer. */
export interface Generation {
  /** Without special tokens and without what stopped it. */
  readonly text: string
  /** Of all generated tokens, an ending one included; empty where a remote model does not tell. */
  readonly ids: readonly number[]
  /** log p of each of these under the model, before temperature and the like; empty where a remote model does not tell. */
  readonly logprobs: readonly number[]
  /** What sequences are ordered by: log-likelihood, in beam search over length to the power of the penalty. */
  readonly score: number
  readonly finish: Finish
  /** What a reasoning model thought before, where a remote model tells it apart from the answer. */
  readonly thoughts?: string
  /** Of the request, all its sequences together, where a remote model tells it. */
  readonly usage?: Usage
}

/** A piece of an answer that is being written. The last piece tells how it ended. */
export interface GenerationPart {
  /** Whole characters that are certain: no later token changes them. May be empty. */
  readonly text: string
  readonly ids: readonly number[]
  readonly logprobs: readonly number[]
  readonly finish?: Finish
}

/** Everything that a generator can end in. */
export type GeneratorError = ModelError | InvalidPrompt | InvalidTemplate | InvalidGeneration | RemoteFailed

/** What a `Generator` does. */
export interface GeneratorShape {
  /** What the model is called in records: a folder's name, a hub id, a remote model's. */
  readonly model: string

  /**
   * Likelihoods of answers: for each request, in the order of its prompts. Nothing is cut: an answer without tokens, or a
   * prompt that does not fit, ends in `InvalidPrompt`. A remote model whose interface gives no likelihood of given tokens
   * ends in `InvalidGeneration`.
   */
  readonly score: (requests: readonly ScoreRequest[]) => Effect.Effect<readonly (readonly Score[])[], GeneratorError>

  /** Answers: for each input its sequences, best first; one, unless `decoding` asks for more. */
  readonly generate: (
    inputs: readonly ModelInput[],
    options?: GenerateOptions,
  ) => Effect.Effect<readonly (readonly Generation[])[], GeneratorError>

  /** One answer while it is written, greedy or drawn; beam search ends in `InvalidGeneration`. */
  readonly stream: (input: ModelInput, options?: GenerateOptions) => Stream.Stream<GenerationPart, GeneratorError>
}

/**
 * A language model that scores given answers and writes its own: in this process over ONNX Runtime, or behind an
 * OpenAI-compatible endpoint.
 */
export class Generator extends Context.Service<Generator, GeneratorShape>()("@tandem/generator/Generator") {}
