import { allParts } from "@tandem/runs/PerPart"
import { type KnownSetting, settingsOf } from "@tandem/runs/Setting"
import type { TrainApp } from "@tandem/runs/TrainApp"
import type { TrainSettings } from "@tandem/runs/TrainSettings"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { isMapping, readConfig } from "./ConfigFile.ts"
import { FlagWithoutEffect, InvalidFlag, MissingFlag, UnknownFlag, type UsageError } from "./Errors.ts"
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
  const file = config === undefined ? {} : yield* fromFile(app, known, config)
  const given: Record<string, unknown> = { ...file, ...convert(single, known) }
  for (const [group, flags] of Object.entries(groups)) {
    const sizes = { ...(isMapping(file[group]) ? file[group] : {}), ...convert(flags, known[group]?.fields ?? {}) }
    if (Object.keys(sizes).length > 0) given[group] = sizes
  }
  const settings = yield* decode(app, known, given)
  const useless = app.idle.find(({ setting, when }) => isGiven(given, setting) && when(settings))
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

/** Keys of a settings file may be written as the flags are, in camel or in snake case; one that no flag has is refused. */
const fromFile = Effect.fnUntraced(function* <S extends TrainSettings>(
  { name }: TrainApp<S>,
  known: Known,
  file: string,
): Effect.fn.Return<Given, UsageError> {
  const values: Record<string, unknown> = {}
  for (const [written, value] of Object.entries(yield* readConfig(file))) {
    const key = camelCase(written)
    const { kind, fields = {} } = known[key] ?? {}
    const strange = kind === undefined || !isMapping(value) ? undefined : strangeKey(kind, fields, value)
    if (kind === undefined || strange !== undefined) {
      const field = strange === undefined ? written : `${written}.${strange}`
      return yield* new UnknownFlag({
        message: `${field} is not a setting of ${name} train`,
        file,
        field,
        hint: nearest(strange ?? key, Object.keys(strange === undefined ? known : fields)),
      })
    }
    values[key] = kind === "texts" && typeof value === "string" ? [value] : value
  }
  return values
})

const strangeKey = (kind: KnownSetting["kind"], fields: Known, value: Given): string | undefined =>
  kind === "group" ? Object.keys(value).find((key) => !(key in fields)) : undefined

const camelCase = (written: string): string =>
  written.replace(/[-_]([a-z])/g, (_, letter: string) => letter.toUpperCase())

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

/** `2e-5` for all parts, `generator=2e-4` for one; several may follow one another or stand together with commas. */
const byPart = (texts: readonly string[]): unknown => {
  const values = texts.flatMap((text) => text.split(",")).map((text) => text.split("=", 2))
  if (values.every((value) => value.length === 1)) return numberOr(values.at(-1)?.[0] ?? "")
  return Object.fromEntries(
    values.map(([part = "", value]) => (value === undefined ? [allParts, numberOr(part)] : [part, numberOr(value)])),
  )
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
