import { existsSync } from "node:fs"
import { Effect, Schema } from "effect"
import type { Measured } from "../Measured.ts"
import type { Observe } from "../RunEvent.ts"
import type { Measurement, Systems } from "../TrainPlan.ts"
import { readRecord, writeJson } from "./RunFiles.ts"

const StoredMeasured = Schema.Struct({
  metrics: Schema.Record(Schema.String, Schema.Number),
  perQuestion: Schema.Record(Schema.String, Schema.Array(Schema.Number)),
  shown: Schema.Unknown,
})
const StoredBaselines = Schema.Struct({
  format: Schema.Literal(2),
  before: StoredMeasured,
  baselines: Schema.Record(Schema.String, StoredMeasured),
})

/** Measures the models as they came, and what they are compared with, once for a run folder: a resumed run reads it. */
export const measureBaselines = Effect.fnUntraced(function* <E>(
  measurement: Measurement<E>,
  { file, resume, observe }: { readonly file: string; readonly resume: boolean; readonly observe: Observe },
) {
  if (resume && existsSync(file)) {
    const found: Systems = yield* readRecord(file, StoredBaselines)
    return found
  }
  const baselines: Record<string, Measured> = {}
  for (const [name, measure] of Object.entries(measurement.baselines)) {
    yield* observe({ event: "phase", name: `measuring ${name}` })
    const measured = yield* measure
    baselines[name] = measured
    yield* observe({ event: "baseline", name, metrics: measured.metrics })
  }
  const before = yield* measurement.measure({ step: 0, weights: {} })
  yield* observe({ event: "baseline", name: "before", metrics: before.metrics })
  const systems: Systems = { before, baselines }
  yield* writeJson(file, { format: 2, ...systems })
  return systems
})
