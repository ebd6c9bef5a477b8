import { decodeSettings, examineSettings, type SettingsProblem, type SettingsSchema } from "@tandem/runs/DecodeSettings"
import type { SettingsError } from "@tandem/runs/Errors"
import { allParts } from "@tandem/runs/PerPart"
import { type KnownSetting, settingsOf } from "@tandem/runs/Setting"
import type { TrainApp } from "@tandem/runs/TrainApp"
import type { TrainSettings } from "@tandem/runs/TrainSettings"
import * as Effect from "effect/Effect"
import { isMapping } from "./ConfigFile.ts"
import { FlagWithoutEffect, InvalidFlag, MissingFlag, UnknownFlag, type UsageError } from "./Errors.ts"
import { type FileSettings, type NamedSettings, readSettingsFile } from "./SettingsFile.ts"
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

/** An app's settings, and the `config.json` of the run that they repeat, if they are those of one. */
export interface GivenTraining<S> {
  readonly settings: S
  readonly repeats?: string
}

/** An app's settings out of flags and, where `config` names one, a file whose values the flags override. */
export const trainSettings = Effect.fnUntraced(function* <S extends TrainSettings>(
  app: TrainApp<S>,
  { single, groups }: GivenFlags,
  config: string | undefined,
): Effect.fn.Return<GivenTraining<S>, UsageError> {
  const known = settingsOf(app.schema)
  const { values, repeats }: FileSettings = config === undefined ? { values: {} } : yield* readSettingsFile(app, config)
  const given = overridden(values, { single, groups }, known)
  const written = repeats === undefined ? given : overridden({}, { single, groups }, known)
  const settings = yield* Effect.mapError(examineSettings(app, given, written), (problem) =>
    usageError(app.name, problem),
  )
  return { settings, ...(repeats === undefined ? {} : { repeats }) }
})

/** The settings of a command that is no single training run, out of flags. */
export const settingsFrom = <S>(schema: SettingsSchema<S>, flags: GivenFlags): Effect.Effect<S, SettingsError> =>
  decodeSettings(schema, overridden({}, flags, settingsOf(schema)))

/** The same with a file of settings, where there is one, whose values the flags override. */
export const settingsWithFile = Effect.fnUntraced(function* <S>(
  named: NamedSettings<S>,
  flags: GivenFlags,
  file: string | undefined,
): Effect.fn.Return<S, SettingsError | UsageError> {
  const { values }: FileSettings = file === undefined ? { values: {} } : yield* readSettingsFile(named, file)
  return yield* decodeSettings(named.schema, overridden(values, flags, settingsOf(named.schema)))
})

/** A problem in the words of the command line; an error's report puts flags in place of the settings that it names. */
const usageError = (app: string, { kind, setting, ...problem }: SettingsProblem): UsageError => {
  const field = `--${flagAt(setting)}`
  const hint = `tandem ${app} train --help lists the flags; --config F reads them from a file`
  switch (kind) {
    case "unknown":
      return new UnknownFlag({ ...problem, field })
    case "missing":
      return new MissingFlag({ ...problem, field, hint })
    case "wrong":
      return new InvalidFlag({ ...problem, field })
    case "idle":
      return new FlagWithoutEffect({ ...problem, field })
  }
}

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

/** Texts of the command line as the values that settings have; what is not given is left out. */
const convert = (flags: FlagValues, known: Known): Given =>
  Object.fromEntries(
    Object.entries(flags).flatMap(([key, value]) =>
      value === undefined ? [] : [[key, valueOf(value, known[key]?.kind)] as const],
    ),
  )

const valueOf = (value: Exclude<FlagValue, undefined>, kind: KnownSetting["kind"] | undefined): unknown => {
  if (kind === "by part" && Array.isArray(value)) return byPart(value)
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
