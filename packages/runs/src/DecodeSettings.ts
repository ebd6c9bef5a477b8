import { Effect, Schema } from "effect"
import { SettingsError } from "./Errors.ts"
import { type KnownSetting, settingsOf } from "./Setting.ts"
import type { TrainApp } from "./TrainApp.ts"
import type { TrainSettings } from "./TrainSettings.ts"

/** A schema of settings, such as an app's. */
export type SettingsSchema<S> = Schema.Codec<S, unknown> & { readonly fields: Schema.Struct.Fields }

/** Settings as a program writes them: where a list of texts is meant, one text stands for a list of it. */
export type GivenSettings<E> = {
  [K in keyof E]: readonly string[] extends NonNullable<E[K]> ? E[K] | string : E[K]
}

type Known = Readonly<Record<string, KnownSetting>>
type Given = Readonly<Record<string, unknown>>

/** What is wrong with settings. Words name settings by their keys, between backticks. */
export interface SettingsProblem {
  readonly kind: "unknown" | "missing" | "wrong" | "idle"
  /** The key, `tiny.hidden` within a group. */
  readonly setting: string
  readonly message: string
  readonly expected?: string
  readonly found?: string
  readonly hint?: string
}

/**
 * Settings out of an object of a program's own: defaults filled in, one text taken for a list of it, keys of the value
 * `undefined` left out. A key that no setting has and a value that is none of its setting's end in `SettingsError`, which
 * names it.
 */
export const decodeSettings = <S>(schema: SettingsSchema<S>, written: object): Effect.Effect<S, SettingsError> =>
  Effect.mapError(decode(schema, written), errorOf)

/** {@link decodeSettings} for a command that trains; settings that lack one another or change nothing are refused, too. */
export const decodeTrainSettings = <S extends TrainSettings>(
  app: TrainApp<S>,
  written: object,
): Effect.Effect<S, SettingsError> => Effect.mapError(examineSettings(app, written), errorOf)

/**
 * What {@link decodeTrainSettings} does, ending in the problem itself. Settings that change nothing are those of `written`
 * alone, where `given` also holds some that nobody wrote.
 */
export const examineSettings = Effect.fnUntraced(function* <S extends TrainSettings>(
  app: TrainApp<S>,
  given: object,
  written: object = given,
): Effect.fn.Return<S, SettingsProblem> {
  const settings = yield* decode(app.schema, given)
  const lacking = app.incomplete(settings)
  if (lacking !== undefined) return yield* Effect.fail<SettingsProblem>({ kind: "missing", ...lacking })
  const idle = app.idle.find(({ setting, when }) => at(written, setting.split(".")) !== undefined && when(settings))
  if (idle === undefined) return settings
  const { setting, because, hint } = idle
  return yield* Effect.fail<SettingsProblem>({
    kind: "idle",
    setting,
    message: `\`${setting}\` has no effect ${because}`,
    hint,
  })
})

const decode = Effect.fnUntraced(function* <S>(
  schema: SettingsSchema<S>,
  written: object,
): Effect.fn.Return<S, SettingsProblem> {
  const known = settingsOf(schema)
  const given = withLists(known, written)
  const strange = strangeKey(known, given)
  if (strange !== undefined) return yield* Effect.fail(strange)
  const validate = Schema.toStandardSchemaV1(schema)["~standard"].validate
  const result = yield* Effect.promise(async () => validate(given))
  if (result.issues === undefined) return result.value
  const path = (result.issues[0]?.path ?? []).map((part) => String(typeof part === "object" ? part.key : part))
  return yield* Effect.fail(wrongValue(known, given, path))
})

const errorOf = ({ kind: _kind, setting, message, expected, hint, ...rest }: SettingsProblem): SettingsError =>
  new SettingsError({
    message: plain(message),
    field: setting,
    ...(expected === undefined ? {} : { expected: plain(expected) }),
    ...(hint === undefined ? {} : { hint: plain(hint) }),
    ...rest,
  })

const isRecord = (value: unknown): value is Given =>
  typeof value === "object" && value !== null && !Array.isArray(value)

const withLists = (known: Known, written: object): Given =>
  Object.fromEntries(
    Object.entries(written).flatMap(([key, value]: readonly [string, unknown]) => {
      if (value === undefined) return []
      return [[key, known[key]?.kind === "texts" && typeof value === "string" ? [value] : value] as const]
    }),
  )

const strangeKey = (known: Known, given: Given): SettingsProblem | undefined => {
  const inGroups = Object.entries(given).flatMap(([group, value]) => {
    const { kind, fields = {} } = known[group] ?? {}
    return kind === "group" && isRecord(value)
      ? Object.keys(value).map((key) => ({ path: `${group}.${key}`, key, names: Object.keys(fields) }))
      : []
  })
  const single = Object.keys(given).map((key) => ({ path: key, key, names: Object.keys(known) }))
  const strange = [...single, ...inGroups].find(({ key, names }) => !names.includes(key))
  return (
    strange && {
      kind: "unknown",
      setting: strange.path,
      message: `${strange.path} is not a setting`,
      expected: strange.names.join(", "),
      found: strange.key,
    }
  )
}

const wrongValue = (known: Known, given: Given, path: readonly string[]): SettingsProblem => {
  const [key = "", inner] = path
  const group = known[key]?.kind === "group" && inner !== undefined
  const expected = (group ? known[key]?.fields?.[inner] : known[key])?.expected
  const setting = group ? `${key}.${inner}` : key
  const found = at(given, group ? [key, inner] : [key])
  if (found === undefined) return { kind: "missing", setting, message: `\`${setting}\` is needed` }
  return {
    kind: "wrong",
    setting,
    message: `\`${setting}\` has a wrong value`,
    ...(expected === undefined ? {} : { expected }),
    found: typeof found === "string" ? found : JSON.stringify(found),
  }
}

const at = (value: unknown, path: readonly string[]): unknown =>
  path.reduce<unknown>((inner, key) => (isRecord(inner) ? inner[key] : undefined), value)

/** Words in which settings stand between backticks, without these. */
const plain = (text: string): string => text.replaceAll("`", "")
