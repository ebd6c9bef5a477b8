import { partOf } from "@tandem/onnx"
import type { ParameterGroup } from "@tandem/trainers"
import { Effect } from "effect"
import { SettingsError } from "./Errors.ts"
import { loraFor } from "./LoraSetting.ts"
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
  settings: Pick<TrainSettings, "lr" | "weightDecay" | "lora">,
  objective: { readonly parameters: ReadonlyMap<string, unknown>; readonly trainable: readonly string[] },
): Effect.fn.Return<PartRates, SettingsError> {
  const parts = [...new Set([...objective.parameters.keys()].map(partOf))]
  const trained = [...new Set(objective.trainable.map(partOf))]
  for (const field of ["lr", "weightDecay", "lora"] as const) yield* checkParts(field, settings[field], parts, trained)
  const rate = (part: string): number => valueFor(settings.lr, part, usualRate(settings, part))
  const decay = (part: string): number => valueFor(settings.weightDecay, part, defaultDecay)
  const [first = ""] = trained
  const groups = trained.flatMap((part) =>
    rate(part) === rate(first) && decay(part) === decay(first)
      ? []
      : [{ pattern: `${part}/*`, rateScale: rate(part) / rate(first), weightDecay: decay(part) }],
  )
  return { learningRate: rate(first), update: { weightDecay: decay(first), groups } }
})

const defaultDecay = Number(settingsOf({ fields: trainFields })["weightDecay"]?.default)

/** The learning rate where nothing is said: adapters, which begin at nothing, take larger steps than weights. */
const usualRate = ({ lora }: Pick<TrainSettings, "lora">, part: string): number =>
  loraFor(lora, part) === undefined ? 2e-5 : 2e-4

/** Settings with the learning rates that are in force where they say nothing. */
export const withRates = <S extends TrainSettings>(settings: S): S => {
  if (settings.lr !== undefined) return settings
  const named = partsNamed(settings.lora).map((part) => [part, usualRate(settings, part)] as const)
  const others = usualRate(settings, allParts)
  return { ...settings, lr: named.length === 0 ? others : { [allParts]: others, ...Object.fromEntries(named) } }
}

const checkParts = (
  field: string,
  value: PerPart<number | string> | undefined,
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
