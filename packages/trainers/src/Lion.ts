import { floats, type Optimizer, type UpdateArgument } from "./Optimizer.ts"

/** Lion's own numbers. */
export interface LionSettings {
  /** Weight of the momentum in an update's direction; .9 where absent. */
  readonly beta1?: number
  /** How much of the momentum is kept; .99 where absent. */
  readonly beta2?: number
}

/**
 * Lion (Chen et al., 2023, program 1): `w ← w · (1 − η·λ) − η · sign(β1·m + (1 − β1)·g)`, then
 * `m ← β2·m + (1 − β2)·g`. One slot of the parameter's shape, `momentum`: half of AdamW's memory. Its rate is to be 3 to
 * 10 times smaller than AdamW's, and its decay as much larger.
 */
export const lion = ({ beta1 = 0.9, beta2 = 0.99 }: LionSettings = {}): Optimizer => ({
  name: "lion",
  slots: { momentum: (dims) => dims },
  kernel: { module: import.meta.url, name: "update" },
  settings: { beta1, beta2 },
})

/** The host function behind {@link lion}. */
export const update = (arrays: Readonly<Record<string, readonly unknown[]>>, argument: UpdateArgument): null => {
  const { factor, rates, decays, settings } = argument
  const { beta1 = 0, beta2 = 0 } = settings
  const [gradients, momenta] = [floats(arrays, "gradients"), floats(arrays, "momentum")]
  for (const [index, weights] of floats(arrays, "weights").entries()) {
    const [gradient, momentum, rate] = [gradients[index]!, momenta[index]!, rates[index]!]
    const kept = 1 - rate * decays[index]!
    for (let i = 0; i < weights.length; i++) {
      const g = gradient[i]! * factor
      weights[i] = weights[i]! * kept - rate * Math.sign(beta1 * momentum[i]! + (1 - beta1) * g)
      momentum[i] = beta2 * momentum[i]! + (1 - beta2) * g
    }
  }
  return null
}
