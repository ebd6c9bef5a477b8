import type { Chunk } from "@tandem/documents"

/** One simulated retrieval: the chunk that is asked about, and what a reader of the question is shown. */
export interface Item {
  /** Of the chunk in its corpus: equal items of two runs have equal keys. */
  readonly key: string
  /** The true chunk, which the questions are about. */
  readonly chunk: Chunk
  /** What is shown, in its order. Holds the true chunk where retrieval succeeded, and nothing of it where it failed. */
  readonly shown: readonly Chunk[]
  /** Whether retrieval failed: only unrelated chunks are shown. */
  readonly failed: boolean
  /** Where a question needs several chunks: all of them, the true one first; all are shown. */
  readonly multi?: readonly Chunk[]
}

/** What one side of a conversation says. */
export interface Turn {
  readonly role: "user" | "assistant"
  readonly text: string
  /** What a reasoning model thought before it answered; apart, and no part of the text. */
  readonly thoughts?: string
}

/** A conversation about an item's chunk: questions and answers in turn, from a question to an answer. */
export interface Conversation {
  readonly item: Item
  readonly turns: readonly Turn[]
}

/** The stages that an item can be rejected by. */
export type RejectingStage = "filter" | "simulate" | "generate" | "verify"

/** An item that is left out, and why. */
export interface Rejected {
  readonly item: Item
  readonly stage: RejectingStage
  readonly reason: string
}
