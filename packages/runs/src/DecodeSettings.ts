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

/**
 * Settings out of an object of a program's own: defaults filled in, one text taken for a list of it, keys of the value
 * `undefined` left out. A key that no setting has and a value that is none of its setting's end in `SettingsError`, which
 * names it.
 */
export const decodeSettings = Effect.fnUntraced(function* <S>(
  schema: SettingsSchema<S>,
  written: object,
): Effect.fn.Return<S, SettingsError> {
  const known = settingsOf(schema)
  const given = withLists(known, written)
  yield* refuseStrangeKeys(known, given)
  const validate = Schema.toStandardSchemaV1(schema)["~standard"].validate
  const result = yield* Effect.promise(async () => validate(given))
  if (result.issues === undefined) return result.value
  const path = (result.issues[0]?.path ?? []).map((part) => String(typeof part === "object" ? part.key : part))
  return yield* wrongValue(known, given, path)
})

/** {@link decodeSettings} for a command that trains; settings that lack one another or change nothing are refused, too. */
export const decodeTrainSettings = Effect.fnUntraced(function* <S extends TrainSettings>(
  app: TrainApp<S>,
  written: object,
): Effect.fn.Return<S, SettingsError> {
  const settings = yield* decodeSettings(app.schema, written)
  const lacking = app.incomplete(settings)
  if (lacking !== undefined) {
    const { message, setting, expected, found } = lacking
    return yield* new SettingsError({
      message: plain(message),
      field: setting,
      ...(expected === undefined ? {} : { expected: plain(expected) }),
      ...(found === undefined ? {} : { found }),
    })
  }
  const idle = app.idle.find(({ setting, when }) => at(written, setting.split(".")) !== undefined && when(settings))
  if (idle !== undefined) {
    return yield* new SettingsError({
      message: `${idle.setting} has no effect ${plain(idle.because)}`,
      field: idle.setting,
      hint: plain(idle.hint),
    })
  }
  return settings
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

const refuseStrangeKeys = (known: Known, given: Given): Effect.Effect<void, SettingsError> => {
  const inGroups = Object.entries(given).flatMap(([group, value]) => {
    const { kind, fields = {} } = known[group] ?? {}
    return kind === "group" && isRecord(value)
      ? Object.keys(value).map((key) => ({ path: `${group}.${key}`, key, names: Object.keys(fields) }))
      : []
  })
  const single = Object.keys(given).map((key) => ({ path: key, key, names: Object.keys(known) }))
  const strange = [...single, ...inGroups].find(({ key, names }) => !names.includes(key))
  if (strange === undefined) return Effect.void
  return Effect.fail(
    new SettingsError({
      message: `${strange.path} is not a setting`,
      field: strange.path,
      expected: strange.names.join(", "),
      found: strange.key,
    }),
  )
}

const wrongValue = (known: Known, given: Given, path: readonly string[]): SettingsError => {
  const [key = "", inner] = path
  const group = known[key]?.kind === "group" && inner !== undefined
  const setting = group ? known[key]?.fields?.[inner] : known[key]
  const field = group ? `${key}.${inner}` : key
  const found = at(given, group ? [key, inner] : [key])
  return new SettingsError({
    message: found === undefined ? `${field} is needed` : `${field} has a wrong value`,
    field,
    ...(setting?.expected === undefined ? {} : { expected: setting.expected }),
    ...(found === undefined ? {} : { found: typeof found === "string" ? found : JSON.stringify(found) }),
  })
}

const at = (value: unknown, path: readonly string[]): unknown =>
  path.reduce<unknown>((inner, key) => (isRecord(inner) ? inner[key] : undefined), value)

/** Words in which settings stand between backticks, without these. */
const plain = (text: string): string => text.replaceAll("`", "")
