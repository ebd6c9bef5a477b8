import type { DprSettings } from "@tandem/dpr"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { isMapping, readConfig } from "./ConfigFile.ts"
import { FlagWithoutEffect, InvalidFlag, MissingFlag, UnknownFlag, type UsageError } from "./Errors.ts"
import { flagsWithoutEffect } from "./FlagEffects.ts"
import { type FlagValue, flagName, type SettingFlag, tinyFlags, trainFlags } from "./TrainFlags.ts"

/** What the command line and the settings file say, before defaults. */
type Given = Readonly<Record<string, unknown>>

const specs: Readonly<Record<string, SettingFlag>> = trainFlags
const tinySpecs: Readonly<Record<string, SettingFlag>> = tinyFlags
const tinyName = (key: string): string => `tiny-${key}`

/** Settings out of flags and, where `config` names one, a file whose values the flags override. */
export const trainSettings = Effect.fnUntraced(function* (
  flags: Readonly<Record<string, FlagValue>>,
  tiny: Readonly<Record<string, FlagValue>>,
  config: string | undefined,
): Effect.fn.Return<DprSettings, UsageError> {
  const file = config === undefined ? {} : yield* fromFile(config)
  const fileTiny = isMapping(file["tiny"]) ? file["tiny"] : {}
  const sizes = { ...fileTiny, ...convert(tiny, tinySpecs) }
  const given: Given = {
    ...file,
    ...convert(flags, specs),
    ...(Object.keys(sizes).length === 0 ? {} : { tiny: sizes }),
  }
  const settings = yield* decode(given)
  const [useless] = flagsWithoutEffect(settings, given)
  if (useless !== undefined) {
    return yield* new FlagWithoutEffect({
      message: `--${useless.flag} has no effect ${useless.because}`,
      field: `--${useless.flag}`,
      hint: useless.hint,
    })
  }
  return settings
})

/** Keys of a settings file may be written as the flags are or in camel case; a key that no flag has is refused. */
const fromFile = Effect.fnUntraced(function* (file: string): Effect.fn.Return<Given, UsageError> {
  const values: Record<string, unknown> = {}
  for (const [written, value] of Object.entries(yield* readConfig(file))) {
    const key = written.replace(/-([a-z])/g, (_, letter: string) => letter.toUpperCase())
    const inside =
      key === "tiny" && isMapping(value) ? Object.keys(value).find((size) => !(size in tinySpecs)) : undefined
    if ((!(key in specs) && key !== "tiny") || inside !== undefined) {
      return yield* new UnknownFlag({
        message: `${inside === undefined ? written : `tiny.${inside}`} is not a setting of dpr train`,
        file,
        field: inside === undefined ? written : `tiny.${inside}`,
        hint: nearest(inside ?? key, Object.keys(inside === undefined ? specs : tinySpecs)),
      })
    }
    values[key] = specs[key]?.kind === "texts" && typeof value === "string" ? [value] : value
  }
  return values
})

/** Texts of the command line as the values that settings have; what is not given is left out. */
const convert = (
  flags: Readonly<Record<string, FlagValue>>,
  table: Readonly<Record<string, SettingFlag>>,
): Readonly<Record<string, unknown>> =>
  Object.fromEntries(
    Object.entries(flags).flatMap(([key, value]) =>
      value === undefined ? [] : [[key, typeof value === "string" ? valueOf(value, table[key]) : value] as const],
    ),
  )

const valueOf = (text: string, spec: SettingFlag | undefined): string | number => {
  const numeric = spec?.kind === "number" || spec?.kind === "number or text"
  return numeric && text.trim() !== "" && Number.isFinite(Number(text)) ? Number(text) : text
}

const decode = Effect.fnUntraced(function* (given: Given): Effect.fn.Return<DprSettings, UsageError> {
  const { DprSettings: Settings } = yield* Effect.promise(() => import("@tandem/dpr/Settings"))
  const result = yield* Effect.promise(async () => Schema.toStandardSchemaV1(Settings)["~standard"].validate(given))
  if (result.issues === undefined) return yield* complete(result.value)
  const path = (result.issues[0]?.path ?? []).map((part) => String(typeof part === "object" ? part.key : part))
  const [key = "", size] = path
  const inside = key === "tiny" && size !== undefined
  const name = `--${inside ? tinyName(flagName(size)) : flagName(key)}`
  const parent = given[key]
  const found = inside && isMapping(parent) ? parent[size] : parent
  if (found === undefined) return yield* missing(name)
  return yield* new InvalidFlag({
    message: `${name} has a wrong value`,
    field: name,
    expected: (inside ? tinySpecs[size] : specs[key])?.expected ?? "another value",
    found: typeof found === "string" ? found : JSON.stringify(found),
  })
})

/** What is needed together and no schema of single keys can say. */
const complete = Effect.fnUntraced(function* (settings: DprSettings): Effect.fn.Return<DprSettings, UsageError> {
  if (settings.data.length === 0) return yield* missing("--data")
  const { model, queryEncoder, passageEncoder, retriever } = settings
  if (model === undefined && queryEncoder === undefined && retriever === undefined) {
    return yield* new MissingFlag({
      message:
        passageEncoder === undefined
          ? "no model is named"
          : "--passage-encoder names the model for passages, and none is named for questions",
      field: passageEncoder === undefined ? "--model" : "--query-encoder",
      expected: "--model DIR|HUB_ID|tiny, --query-encoder M with --passage-encoder M, or --retriever RUN",
    })
  }
  if (settings.warmup >= 1 && !Number.isInteger(settings.warmup)) {
    return yield* new InvalidFlag({
      message: "--warmup has a wrong value",
      field: "--warmup",
      expected: trainFlags.warmup.expected,
      found: String(settings.warmup),
    })
  }
  return settings
})

const missing = (name: string): MissingFlag =>
  new MissingFlag({
    message: `${name} is needed`,
    field: name,
    hint: "tandem dpr train --help lists the flags; --config F reads them from a file",
  })

/** The name that shares most pairs of letters with what was written. */
const nearest = (written: string, names: readonly string[]): string => {
  const pairs = (word: string) => new Set(Array.from({ length: word.length - 1 }, (_, at) => word.slice(at, at + 2)))
  const own = pairs(written.toLowerCase())
  const score = (name: string) => {
    const other = pairs(name.toLowerCase())
    return (2 * [...own].filter((pair) => other.has(pair)).length) / (own.size + other.size)
  }
  const best = names.toSorted((a, b) => score(b) - score(a))[0]
  return best !== undefined && score(best) > 0.3 ? `did you mean ${best}?` : `known are ${names.join(", ")}`
}
