import { partOf } from "@tandem/onnx"
import type { ParameterGroup } from "@tandem/trainers"
import { Effect } from "effect"
import { SettingsError } from "./Errors.ts"
import { allParts, type PerPart, partsNamed, valueFor } from "./PerPart.ts"
import { settingsOf } from "./Setting.ts"
import { type TrainSettings, trainFields } from "./TrainSettings.ts"

/** How parameters move, by part. */
export interface PartRates {
  /** The peak learning rate of the schedule: that of the first part that is trained. */
  readonly learningRate: number
  readonly update: { readonly weightDecay: number; readonly groups: readonly ParameterGroup[] }
}

/**
 * Rates and decays of the parts that train, as groups of parameters. A value for a part that no model of the run is called
 * by, or for one that does not train, ends in `SettingsError`.
 */
export const groupsOf = Effect.fnUntraced(function* (
  settings: Pick<TrainSettings, "lr" | "weightDecay">,
  objective: { readonly parameters: ReadonlyMap<string, unknown>; readonly trainable: readonly string[] },
): Effect.fn.Return<PartRates, SettingsError> {
  const parts = [...new Set([...objective.parameters.keys()].map(partOf))]
  const trained = [...new Set(objective.trainable.map(partOf))]
  for (const field of ["lr", "weightDecay"] as const) yield* checkParts(field, settings[field], parts, trained)
  const rate = (part: string): number => valueFor(settings.lr, part, defaults.lr)
  const decay = (part: string): number => valueFor(settings.weightDecay, part, defaults.weightDecay)
  const [first = ""] = trained
  const groups = trained.flatMap((part) =>
    rate(part) === rate(first) && decay(part) === decay(first)
      ? []
      : [{ pattern: `${part}/*`, rateScale: rate(part) / rate(first), weightDecay: decay(part) }],
  )
  return { learningRate: rate(first), update: { weightDecay: decay(first), groups } }
})

const known = settingsOf({ fields: trainFields })
const defaults = { lr: Number(known["lr"]?.default), weightDecay: Number(known["weightDecay"]?.default) }

const checkParts = (
  field: string,
  value: PerPart,
  parts: readonly string[],
  trained: readonly string[],
): Effect.Effect<void, SettingsError> => {
  const named = partsNamed(value)
  const strange = named.find((part) => !parts.includes(part))
  const idle = named.find((part) => !trained.includes(part))
  if (strange === undefined && idle === undefined) return Effect.void
  return Effect.fail(
    new SettingsError({
      message:
        strange === undefined
          ? `${field} has no effect on the part ${idle}, which is not trained`
          : `no model of this run is called ${strange}`,
      field,
      expected: `${[...trained].join(", ")} or ${allParts}`,
      found: strange ?? idle ?? "",
      hint:
        strange === undefined ? "leave it out, or train that part" : "name a part of this run, or leave the name out",
    }),
  )
}
