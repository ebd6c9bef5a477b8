import type { SettingsSchema } from "@tandem/runs/DecodeSettings"
import { type KnownSetting, settingsOf } from "@tandem/runs/Setting"
import * as Effect from "effect/Effect"
import { isMapping, readConfig } from "./ConfigFile.ts"
import { InvalidConfig, UnknownFlag, type UsageError } from "./Errors.ts"
import { nearest } from "./Nearest.ts"
import { flagOf } from "./TrainFlags.ts"

type Values = Readonly<Record<string, unknown>>
type Known = Readonly<Record<string, KnownSetting>>

/** A command that trains, as far as its settings go: `tandem NAME train`. */
export interface NamedSettings<S> {
  readonly name: string
  readonly schema: SettingsSchema<S>
}

/** What a settings file says, by the keys of settings. */
export interface FileSettings {
  readonly values: Values
  /** The run's `config.json` that they are of, which holds every setting, also those that nobody gave; absent where a person wrote them. */
  readonly repeats?: string
}

/**
 * A YAML or JSON file of settings, or the `config.json` of a run, which gives the settings of that run: all but `out` and
 * `resume`, which are of that run alone.
 *
 * Keys may be written as the flags are, in camel or in snake case, and those of a group by their flag's name
 * (`tiny-hidden`) or within it; one that no flag has and one that stands twice are refused.
 */
export const readSettingsFile = Effect.fnUntraced(function* <S>(
  app: NamedSettings<S>,
  file: string,
): Effect.fn.Return<FileSettings, UsageError> {
  const content = yield* readConfig(file)
  const recorded = content["settings"]
  if (!isMapping(recorded)) return { values: yield* byKey(app, content, file) }
  const [expected, found] = [`${app.name} train`, content["command"]]
  if (found !== expected) {
    return yield* new InvalidConfig({
      message: "the run of these settings is another command's",
      file,
      field: "command",
      expected,
      found: JSON.stringify(found) ?? "nothing",
    })
  }
  const { out: _out, resume: _resume, ...values } = yield* byKey(app, recorded, file)
  return { values, repeats: file }
})

const byKey = Effect.fnUntraced(function* <S>(
  { name, schema }: NamedSettings<S>,
  content: Values,
  file: string,
): Effect.fn.Return<Values, UsageError> {
  const known = settingsOf(schema)
  const values: Record<string, unknown> = {}
  const spellings = new Map<string, string>()
  const strange = (field: string, key: string, names: readonly string[]) =>
    new UnknownFlag({ message: `${field} is not a setting of ${name} train`, file, field, hint: nearest(key, names) })
  const put = Effect.fnUntraced(function* (written: string, group: string | undefined, key: string, value: unknown) {
    const path = group === undefined ? key : `${group}.${key}`
    const before = spellings.get(path)
    if (before !== undefined) {
      return yield* new InvalidConfig({
        message: `${before} and ${written} are one setting`,
        file,
        field: written,
        hint: "leave one of the two out",
      })
    }
    spellings.set(path, written)
    if (group === undefined) values[key] = known[key]?.kind === "texts" && typeof value === "string" ? [value] : value
    else values[group] = { ...(isMapping(values[group]) ? values[group] : {}), [key]: value }
  })
  for (const [written, value] of Object.entries(content)) {
    const key = camelCase(written)
    const { kind, fields = {} } = known[key] ?? {}
    const flat = kind === undefined ? groupOf(known, key) : undefined
    if (flat !== undefined) {
      yield* put(written, flat.group, flat.key, value)
    } else if (kind === undefined) {
      return yield* strange(written, key, Object.keys(known))
    } else if (kind === "group" && isMapping(value)) {
      for (const [inner, size] of Object.entries(value)) {
        const name = camelCase(inner)
        if (fields[name] === undefined) return yield* strange(`${written}.${inner}`, name, Object.keys(fields))
        yield* put(`${written}.${inner}`, key, name, size)
      }
    } else {
      yield* put(written, undefined, key, value)
    }
  }
  return values
})

/** The setting of a group that a flag's name in camel case speaks of: `tinyHidden`. */
const groupOf = (known: Known, flat: string): { readonly group: string; readonly key: string } | undefined =>
  Object.entries(known)
    .flatMap(([group, { fields = {} }]) => Object.keys(fields).map((key) => ({ group, key })))
    .find(({ group, key }) => camelCase(flagOf(key, group)) === flat)

const camelCase = (written: string): string =>
  written.replace(/[-_]([a-z])/g, (_, letter: string) => letter.toUpperCase())
