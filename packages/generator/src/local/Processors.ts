import type { Random } from "@tandem/random"
import type { Decoding } from "../Generator.ts"

/** log p of every token behind a text, from its logits and the logarithm of the sum of their exponentials. */
export const logProbabilities = (logits: Float32Array, normalizer: number): Float32Array =>
  logits.map((logit) => logit - normalizer)

/**
 * Logits of tokens that a text holds already: divided by the penalty where positive, else multiplied. Each token counts
 * once, however often the text has it.
 *
 * @see Keskar et al., CTRL: A Conditional Transformer Language Model for Controllable Generation, 2019, section 4.1
 */
export const penalize = (logits: Float32Array, text: Iterable<number>, penalty: number): Float32Array => {
  if (penalty === 1) return logits
  const changed = logits.slice()
  for (const id of new Set(text)) {
    const logit = changed[id]
    if (logit !== undefined) changed[id] = logit < 0 ? logit * penalty : logit / penalty
  }
  return changed
}

/** The largest number's place; the first one of equals. */
export const largest = (values: Float32Array): number => {
  let best = 0
  for (let index = 1; index < values.length; index++) if (values[index]! > values[best]!) best = index
  return best
}

/** Tokens that may be drawn, and the probability of each; likeliest first. */
export interface Candidates {
  readonly ids: readonly number[]
  readonly probabilities: readonly number[]
}

/**
 * The distribution that a token is drawn from: logits over the temperature, of these the k largest (and what equals the
 * last of them), of these the likeliest whose probabilities before the last one do not reach p.
 */
export const candidatesOf = (
  logits: Float32Array,
  { temperature = 1, topK, topP = 1 }: Pick<Extract<Decoding, { kind: "sample" }>, "temperature" | "topK" | "topP">,
): Candidates => {
  let ids = [...logits.keys()].sort((a, b) => logits[b]! - logits[a]! || a - b)
  if (topK !== undefined && topK < ids.length) {
    const last = logits[ids[topK - 1]!]!
    ids = ids.filter((id) => logits[id]! >= last)
  }
  const first = logits[ids[0]!]!
  const weights = ids.map((id) => Math.exp((logits[id]! - first) / temperature))
  const total = weights.reduce((sum, weight) => sum + weight, 0)
  if (topP >= 1) return { ids, probabilities: weights.map((weight) => weight / total) }
  let before = 0
  let count = 0
  while (count < ids.length && (count === 0 || before < topP)) before += weights[count++]! / total
  return { ids: ids.slice(0, count), probabilities: weights.slice(0, count).map((weight) => weight / total / before) }
}

/** One of the candidates, as likely as its probability says. */
export const draw = ({ ids, probabilities }: Candidates, random: Random): number => {
  let rest = random.next()
  for (const [index, probability] of probabilities.entries()) {
    rest -= probability
    if (rest < 0) return ids[index]!
  }
  return ids.at(-1)!
}
