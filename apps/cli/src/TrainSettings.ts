import { allParts } from "@tandem/runs/PerPart"
import { type KnownSetting, settingsOf } from "@tandem/runs/Setting"
import type { TrainApp } from "@tandem/runs/TrainApp"
import type { TrainSettings } from "@tandem/runs/TrainSettings"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { isMapping } from "./ConfigFile.ts"
import { FlagWithoutEffect, InvalidFlag, MissingFlag, type UsageError } from "./Errors.ts"
import { readSettingsFile } from "./SettingsFile.ts"
import { type FlagValue, flagOf } from "./TrainFlags.ts"

/** What the command line and the settings file say, before defaults. */
type Given = Readonly<Record<string, unknown>>
type Known = Readonly<Record<string, KnownSetting>>
type FlagValues = Readonly<Record<string, FlagValue>>

/** What a command line says: single settings, and those of groups. */
export interface GivenFlags {
  readonly single: FlagValues
  readonly groups: Readonly<Record<string, FlagValues>>
}

/** An app's settings out of flags and, where `config` names one, a file whose values the flags override. */
export const trainSettings = Effect.fnUntraced(function* <S extends TrainSettings>(
  app: TrainApp<S>,
  { single, groups }: GivenFlags,
  config: string | undefined,
): Effect.fn.Return<S, UsageError> {
  const known = settingsOf(app.schema)
  const file = config === undefined ? { values: {}, written: true } : yield* readSettingsFile(app, config)
  const given = overridden(file.values, { single, groups }, known)
  const settings = yield* decode(app, known, given)
  const written = file.written ? given : overridden({}, { single, groups }, known)
  const useless = app.idle.find(({ setting, when }) => isGiven(written, setting) && when(settings))
  if (useless !== undefined) {
    const flag = `--${flagAt(useless.setting)}`
    return yield* new FlagWithoutEffect({
      message: `${flag} has no effect ${useless.because}`,
      field: flag,
      hint: useless.hint,
    })
  }
  return settings
})

/** Values of a file with those that flags give in their place. */
const overridden = (file: Given, { single, groups }: GivenFlags, known: Known): Given => {
  const given: Record<string, unknown> = { ...file, ...convert(single, known) }
  for (const [group, flags] of Object.entries(groups)) {
    const sizes = { ...(isMapping(file[group]) ? file[group] : {}), ...convert(flags, known[group]?.fields ?? {}) }
    if (Object.keys(sizes).length > 0) given[group] = sizes
  }
  return given
}

/** The flag of a key, or of a path such as `tiny.hidden`. */
const flagAt = (path: string): string => {
  const [first = "", second] = path.split(".")
  return second === undefined ? flagOf(first) : flagOf(second, first)
}

const isGiven = (given: Given, path: string): boolean => {
  const [first = "", second] = path.split(".")
  const value = given[first]
  return second === undefined ? value !== undefined : isMapping(value) && value[second] !== undefined
}

/** Texts of the command line as the values that settings have; what is not given is left out. */
const convert = (flags: FlagValues, known: Known): Given =>
  Object.fromEntries(
    Object.entries(flags).flatMap(([key, value]) =>
      value === undefined ? [] : [[key, valueOf(value, known[key]?.kind)] as const],
    ),
  )

const valueOf = (value: Exclude<FlagValue, undefined>, kind: KnownSetting["kind"] | undefined): unknown => {
  if (kind === "number by part" && Array.isArray(value)) return byPart(value)
  return typeof value === "string" && (kind === "number" || kind === "number or text") ? numberOr(value) : value
}

const numberOr = (text: string): string | number =>
  text.trim() !== "" && Number.isFinite(Number(text)) ? Number(text) : text

/**
 * `2e-5` for all parts, `generator=2e-4` for one; several may follow one another or stand together with commas. Two for one
 * part stay the text that they are, which no setting takes.
 */
const byPart = (texts: readonly string[]): unknown => {
  const values = texts
    .flatMap((text) => text.split(","))
    .map((text): readonly [string, string] => {
      const at = text.indexOf("=")
      return at < 0 ? [allParts, text] : [text.slice(0, at), text.slice(at + 1)]
    })
  const parts = values.map(([part]) => part)
  if (new Set(parts).size < parts.length) return texts.join(",")
  if (parts.join() === allParts) return numberOr(values[0]?.[1] ?? "")
  return Object.fromEntries(values.map(([part, value]) => [part, numberOr(value)]))
}

const decode = Effect.fnUntraced(function* <S extends TrainSettings>(
  app: TrainApp<S>,
  known: Known,
  given: Given,
): Effect.fn.Return<S, UsageError> {
  const validate = Schema.toStandardSchemaV1(app.schema)["~standard"].validate
  const result = yield* Effect.promise(async () => validate(given))
  if (result.issues === undefined) return yield* complete(app, known, result.value)
  const path = (result.issues[0]?.path ?? []).map((part) => String(typeof part === "object" ? part.key : part))
  const [key = "", inner] = path
  const group = known[key]?.kind === "group" && inner !== undefined
  const name = `--${group ? flagOf(inner, key) : flagOf(key)}`
  const parent = given[key]
  const found = group && isMapping(parent) ? parent[inner] : parent
  if (found === undefined) return yield* missing(app.name, `${name} is needed`, name)
  return yield* new InvalidFlag({
    message: `${name} has a wrong value`,
    field: name,
    expected: (group ? known[key]?.fields?.[inner] : known[key])?.expected ?? "another value",
    found: typeof found === "string" ? found : JSON.stringify(found),
  })
})

/** What is needed together and no schema of single keys can say. */
const complete = Effect.fnUntraced(function* <S extends TrainSettings>(
  app: TrainApp<S>,
  known: Known,
  settings: S,
): Effect.fn.Return<S, UsageError> {
  const lacking = app.incomplete(settings)
  if (lacking !== undefined) {
    return yield* missing(app.name, lacking.message, `--${flagAt(lacking.setting)}`, lacking.expected)
  }
  const { warmup } = settings
  if (warmup >= 1 && !Number.isInteger(warmup)) {
    return yield* new InvalidFlag({
      message: "--warmup has a wrong value",
      field: "--warmup",
      expected: known["warmup"]?.expected ?? "another value",
      found: String(warmup),
    })
  }
  return settings
})

const missing = (app: string, message: string, field: string, expected?: string): MissingFlag =>
  new MissingFlag({
    message,
    field,
    ...(expected === undefined ? {} : { expected }),
    hint: `tandem ${app} train --help lists the flags; --config F reads them from a file`,
  })
