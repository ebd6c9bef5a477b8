import { InvalidSettings } from "./Errors.ts"

/** How the learning rate moves over a run of `steps` optimizer steps. */
export interface Schedule {
  readonly kind: "linear" | "cosine" | "constant"
  readonly learningRate: number
  /** Steps over which the rate rises from 0. */
  readonly warmupSteps: number
  readonly steps: number
}

/**
 * The learning rate of a step, counted from 0, as Hugging Face's schedules define it: with `w` warm-up steps of `n`,
 * `t/w` of the rate while `t < w`; then, with `p = (t − w)/(n − w)`, `1 − p` (linear), `(1 + cos πp)/2` (cosine) or 1.
 * The first step of a schedule with warm-up therefore has rate 0.
 */
export const learningRateAt = (schedule: Schedule, step: number): number => {
  const { kind, learningRate, warmupSteps, steps } = schedule
  if (step < warmupSteps) return (learningRate * step) / warmupSteps
  const progress = Math.min(1, (step - warmupSteps) / Math.max(1, steps - warmupSteps))
  switch (kind) {
    case "linear":
      return learningRate * (1 - progress)
    case "cosine":
      return (learningRate * (1 + Math.cos(Math.PI * progress))) / 2
    case "constant":
      return learningRate
  }
}

/**
 * Warm-up as settings give it: a share of the steps below 1, or a whole number of steps. A run of one step has none: that
 * step would have the rate 0.
 */
export const warmupSteps = (warmup: number, steps: number): number => {
  if (!Number.isFinite(warmup) || warmup < 0 || (warmup >= 1 && !Number.isInteger(warmup))) {
    throw new InvalidSettings({
      message: "the warm-up is neither a share nor a number of steps",
      field: "warmup",
      expected: "a share from 0 to below 1, or a whole number of steps",
      found: `${warmup}`,
    })
  }
  if (steps <= 1) return 0
  return warmup < 1 ? Math.ceil(warmup * steps) : Math.min(warmup, steps)
}
