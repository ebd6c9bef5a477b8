import { Runtime } from "@tandem/runtime"
import { Effect, Result } from "effect"
import type { Metrics } from "../Measured.ts"
import type { Observe } from "../RunEvent.ts"
import type { Measurement, RunServices, Weights } from "../TrainPlan.ts"

/**
 * Figures of the result in its other forms; none on devices other than the CPU, which not every form runs on. The models are
 * saved by then: a form that cannot be measured is a warning.
 */
export const measureVariants = Effect.fnUntraced(function* <E>(
  { variants = {} }: Measurement<E>,
  weights: Weights,
  observe: Observe,
): Effect.fn.Return<Readonly<Record<string, Metrics>>, never, RunServices> {
  const { device } = yield* Runtime
  const found: Record<string, Metrics> = {}
  if (device.provider !== "cpu") return found
  for (const [name, measure] of Object.entries(variants)) {
    yield* observe({ event: "phase", name: `measuring ${name}` })
    const measured = yield* Effect.result(measure(weights))
    if (Result.isSuccess(measured)) found[name] = measured.success.metrics
    else yield* observe({ event: "warning", message: `${name} could not be measured: ${reasonOf(measured.failure)}` })
  }
  return found
})

const reasonOf = (error: unknown): string =>
  typeof error === "object" && error !== null && "message" in error ? String(error.message) : String(error)
