/** Figures by name; `n` is the number of questions. A name may end in its cutoff: `recall@5`. */
export type Metrics = Readonly<Record<string, number>>

/** What there is to know about a figure, whatever its cutoff. */
export interface MetricFacts {
  /** What it says, in half a sentence. */
  readonly meaning?: string
  /** Which way is better; `higher` if nothing is said. */
  readonly better?: "higher" | "lower"
}

/** Figures that evaluations usually have, in the order in which pages show them, by their names without a cutoff. */
export const usualMetrics: Readonly<Record<string, MetricFacts>> = {
  recall: { meaning: "a passage that answers is among the first k" },
  mrr: { meaning: "one over the place of the first passage that answers" },
  ndcg: { meaning: "passages that answer, the more the further up" },
  answerRecall: { meaning: "one of the first k holds an answer word for word" },
  exactMatch: { meaning: "the answer is the expected one" },
  f1: { meaning: "words shared with the expected answer" },
  rougeL: { meaning: "words shared with the expected answer, in its order" },
  nll: { meaning: "nats a token of the expected answer; less is better", better: "lower" },
  perplexity: { meaning: "exp of the nats a token; less is better", better: "lower" },
  averageRank: { meaning: "mean place over data sets; less is better", better: "lower" },
}

/** What a figure's name may begin with: what it was measured with. */
export const usualVariants: Readonly<Record<string, string>> = {
  closedBook: "without passages",
  random: "with passages of other questions",
  retrieved: "with the passages that were found",
  gold: "with the passage that answers",
  inUse: "in the index that training searches, whose vectors may be older",
}

/** A figure's name without its cutoff, and without what it was measured with: `nll` of `retrieved.nll`. */
export const baseOf = (name: string): string => name.split("@")[0]?.split(".").at(-1) ?? name

/** Names of the figures that any of them has, but for `n`: the usual ones first, cutoffs rising. */
export const metricNames = (all: readonly Metrics[]): readonly string[] => {
  const names = [...new Set(all.flatMap((metrics) => Object.keys(metrics)))].filter((name) => name !== "n")
  const bases = [...Object.keys(usualMetrics), ...names.map(baseOf)]
  const place = (name: string): number => bases.indexOf(baseOf(name))
  return names.sort((a, b) => place(a) - place(b) || cutoffOf(a) - cutoffOf(b))
}

const cutoffOf = (name: string): number => Number(name.split("@")[1] ?? 0) || 0
