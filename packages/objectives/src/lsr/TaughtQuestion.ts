import type { Context } from "@tandem/generator"

/** A question whose passages a teacher scores. */
export interface TaughtQuestion {
  readonly id: string
  readonly query: string
  /** What the teacher is to find likely. */
  readonly answer: string
  /** Passages that the data say answer it; none are needed. */
  readonly gold: ReadonlySet<string>
  /** What the question counts for; 1 where absent. */
  readonly weight?: number
}

/** What a teacher reads: everything that one of its scores depends on beside the teacher itself. */
export interface ScoredPair {
  readonly query: string
  readonly answer: string
  /** One passage, or several in their order. */
  readonly contexts: readonly Context[]
}

/** An answer's likelihood with what was read before it. */
export interface AnswerScore {
  /** log p of the whole answer, nats. */
  readonly logprob: number
  /** Its tokens, the one that ends it included. */
  readonly tokens: number
}

/** A sum of log-probabilities of at least one token; rounding may leave it a little above 0. */
export const isLikelihood = ({ logprob, tokens }: AnswerScore): boolean =>
  Number.isFinite(logprob) && logprob <= 1e-3 && Number.isSafeInteger(tokens) && tokens > 0

/** What a teacher says of a candidate. */
export interface TaughtCandidate {
  /** L, the answer's log-likelihood in nats, or what a model of another kind scores. */
  readonly value: number
  /** n, the answer's tokens; 0 where no language model scored. */
  readonly tokens: number
}
