import { defaultText, flagName, type KnownSetting } from "@tandem/runs/Setting"
import { Flag } from "effect/cli"

/** What a command line says about a key; `undefined` where it says nothing. */
export type FlagValue = string | boolean | readonly string[] | undefined

/** The flag of a key, `--tiny-hidden` for `hidden` in the group `tiny`. */
export const flagOf = (key: string, group?: string): string =>
  group === undefined ? flagName(key) : `${flagName(group)}-${flagName(key)}`

/** The flags of settings by their keys; those of groups stand under the group's key. */
export const flagsOf = (settings: Readonly<Record<string, KnownSetting>>) => {
  const known = Object.entries(settings)
  return {
    single: Object.fromEntries(
      known.flatMap(([key, setting]) =>
        setting.kind === "group" ? [] : [[key, toFlag(flagOf(key), setting)] as const],
      ),
    ),
    groups: Object.fromEntries(
      known.flatMap(([group, { kind, fields = {} }]) =>
        kind === "group"
          ? [
              [
                group,
                Object.fromEntries(
                  Object.entries(fields).map(([key, setting]) => [key, toFlag(flagOf(key, group), setting)]),
                ),
              ] as const,
            ]
          : [],
      ),
    ),
  }
}

/** The argument parser's flag: numbers stay text until the settings are decoded, so that one place words the errors. */
const toFlag = (name: string, setting: KnownSetting): Flag.Flag<FlagValue> => {
  const otherwise = defaultText(setting)
  const about = otherwise === undefined ? setting.about : `${setting.about} (default: ${otherwise})`
  if (setting.kind === "boolean")
    return Flag.Boolean(name).pipe(Flag.withDescription(about), Flag.map(known), Flag.withDefault(undefined))
  const text = Flag.String(name).pipe(Flag.withMetavar(setting.value ?? "X"), Flag.withDescription(about))
  return setting.kind === "texts" || setting.kind === "by part"
    ? text.pipe(Flag.atLeast(0), Flag.map(some))
    : text.pipe(Flag.map(known), Flag.withDefault(undefined))
}

const known = (value: string | boolean): FlagValue => value
const some = (values: readonly string[]): FlagValue => (values.length === 0 ? undefined : values)
