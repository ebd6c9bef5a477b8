import type { LsrLossSettings } from "./LsrLoss.ts"
import type { TaughtCandidate } from "./TaughtQuestion.ts"

/** What is told of targets: for how many questions they say nothing, or one thing alone. */
export interface TargetShares {
  readonly questions: number
  /** Probabilities of all answers below what float32 tells apart at the temperature. */
  readonly underflow: number
  readonly flat: number
  readonly oneHot: number
}

/** What scores of each candidate, over its temperature, the target is the softmax of; undefined where there is no target. */
const targetScores = (candidates: readonly TaughtCandidate[], loss: LsrLossSettings): readonly number[] | undefined => {
  const divided = (score: (candidate: TaughtCandidate) => number) =>
    candidates.map((candidate) => score(candidate) / loss.languageModelTemperature)
  const mean = ({ value, tokens }: TaughtCandidate): number => value / Math.max(1, tokens)
  const scored = {
    prob: ({ value }: TaughtCandidate) => Math.exp(value),
    logprob: ({ value }: TaughtCandidate) => value,
  }
  switch (loss.kind) {
    case "lsr":
      return divided(loss.score === "meanLogprob" ? mean : scored[loss.score])
    case "pdist":
      return divided(mean)
    case "loop":
      return divided((candidate) => -(loss.score === "logprob" ? candidate.value : mean(candidate)))
    case "distillation":
      return divided(scored.logprob)
    case "emdr2":
    case "margin-mse":
      return undefined
  }
}

/** Counts targets of at least two candidates; one-hot are those with an entropy below 0.01 nats. */
export const targetShares = (
  questions: readonly (readonly TaughtCandidate[])[],
  loss: LsrLossSettings,
): TargetShares => {
  const found = questions.flatMap((candidates) => {
    const scores = candidates.length < 2 ? undefined : targetScores(candidates, loss)
    return scores === undefined ? [] : [{ candidates, entropy: entropyOf(scores) }]
  })
  const share = (condition: (one: (typeof found)[number]) => boolean): number =>
    found.length === 0 ? 0 : found.filter(condition).length / found.length
  const flatBelow = Math.max(loss.flatBelow, 1e-5)
  const isFlat = ({ candidates, entropy }: (typeof found)[number]) => Math.log(candidates.length) - entropy < flatBelow
  return {
    questions: found.length,
    underflow:
      loss.kind === "lsr" && loss.score === "prob"
        ? share((one) => isFlat(one) && Math.max(...one.candidates.map(({ value }) => value)) < Math.log(1e-3))
        : 0,
    flat: share(isFlat),
    oneHot: share(({ entropy }) => entropy < 0.01),
  }
}

const entropyOf = (scores: readonly number[]): number => {
  const largest = Math.max(...scores)
  const weights = scores.map((score) => Math.exp(score - largest))
  const sum = weights.reduce((all, weight) => all + weight, 0)
  return weights.reduce((all, weight) => all - (weight === 0 ? 0 : (weight / sum) * Math.log(weight / sum)), 0)
}

/** Above these shares of questions something is wrong with score or temperature. */
const [mostFlat, mostOneHot] = [0.5, 0.9]

/** What there is to say of targets that teach nothing or too little, in words that name settings by their keys. */
export const targetWarnings = (
  questions: readonly (readonly TaughtCandidate[])[],
  loss: LsrLossSettings,
): readonly string[] => {
  const { underflow, flat, oneHot } = targetShares(questions, loss)
  const percent = (share: number): string => `${Math.round(100 * share)} %`
  const temperature = `\`lmTemperature\` ${loss.languageModelTemperature}`
  const left = loss.flatBelow === 0 ? "which blurs the retriever" : "so that they do not train"
  if (underflow > mostFlat) {
    return [
      `\`score\` prob underflows: the probability of the answers of ${percent(underflow)} of the questions is nearly 0 whatever the passage, and their target flat at ${temperature}, ${left}; \`score\` meanLogprob does not underflow`,
    ]
  }
  if (flat > mostFlat) {
    return [
      `the target of ${percent(flat)} of the questions is flat at ${temperature}, ${left}: lower it, or the teacher finds all passages equally helpful`,
    ]
  }
  if (oneHot > mostOneHot) {
    return [
      `the target of ${percent(oneHot)} of the questions is one passage alone at ${temperature}, and the others' order is lost: raise it`,
    ]
  }
  return []
}

/** Steps that are compared at either end: a flight may take no more than a few. */
const span = 10

/**
 * Watches a run for the sign that a retriever flees to passages which the teacher finds all alike: the loss falls while the
 * target's entropy rises. Answers once, with what to say.
 */
export const watchForFlight = (): ((numbers: Readonly<Record<string, number>>) => readonly string[]) => {
  const losses: number[] = []
  const entropies: number[] = []
  let told = false
  return ({ loss = 0, targetEntropy = 0 }) => {
    losses.push(loss)
    entropies.push(targetEntropy)
    if (told || losses.length < 2 * span) return []
    const mean = (values: readonly number[]): number => values.reduce((sum, each) => sum + each, 0) / values.length
    const [before, after] = [mean(losses.slice(0, span)), mean(losses.slice(-span))]
    const [from, to] = [mean(entropies.slice(0, span)), mean(entropies.slice(-span))]
    if (!(after < 0.5 * before && to > from + 0.1)) return []
    told = true
    return [
      `within ${losses.length} steps the loss fell from ${before.toFixed(3)} to ${after.toFixed(3)} while the target's entropy rose from ${from.toFixed(2)} to ${to.toFixed(2)} nats: the retriever flees to passages that the teacher finds all alike; take \`direction\` lm-retriever, or \`candidates\` fixed`,
    ]
  }
}
