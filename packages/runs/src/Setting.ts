import { Effect, Schema } from "effect"

/** What a person is told about a setting, on the command line and in tables. */
export interface SettingDoc {
  /** What it does, without its default. */
  readonly about: string
  /** What stands for its value: `N`, `X`, `F`; nothing for one that is on or off. */
  readonly value?: string
  /** Legal values in words. */
  readonly expected?: string
  /** What holds where it is absent and has no default of its own: "the model's own". */
  readonly otherwise?: string
  /** How its text on the command line is read; a group has flags of its own, `--tiny-hidden` for `hidden` in `tiny`. */
  readonly kind: "text" | "texts" | "number" | "number or text" | "boolean" | "by part" | "group"
}

/** A setting as it stands in a schema. */
export interface KnownSetting extends SettingDoc {
  readonly default?: unknown
  /** Settings within a group. */
  readonly fields?: Readonly<Record<string, KnownSetting>>
}

/** A setting without a default: where it is absent, models or data decide. */
export const optionalSetting = <S extends Schema.Top>(schema: S, doc: SettingDoc) =>
  Schema.optionalKey(schema.annotate({ setting: doc }))

/** A setting that cannot be absent. */
export const neededSetting = <S extends Schema.Top>(schema: S, doc: SettingDoc) => schema.annotate({ setting: doc })

/** A setting with a default. This is the only place where the default stands. */
export const settingWithDefault = <S extends Schema.Top & { readonly EncodingServices: never }>(
  schema: S,
  value: S["Encoded"],
  doc: SettingDoc,
) => schema.pipe(Schema.withDecodingDefaultKey(Effect.succeed(value))).annotate({ setting: { ...doc, default: value } })

/** Settings that belong together and may all be absent, such as the sizes of a model. */
export const settingGroup = <S extends Schema.Top & { readonly fields: Schema.Struct.Fields }>(
  schema: S,
  about: string,
) => Schema.optionalKey(schema.annotate({ setting: { kind: "group", about, fields: settingsOf(schema) } }))

/** The settings of a schema by key, with their defaults; keys that are no settings of their own are left out. */
export const settingsOf = (schema: { readonly fields: Schema.Struct.Fields }): Readonly<Record<string, KnownSetting>> =>
  Object.fromEntries(
    Object.entries(schema.fields).flatMap(([key, field]) => {
      const found = Schema.resolveAnnotations(field)?.["setting"]
      return isKnownSetting(found) ? [[key, found] as const] : []
    }),
  )

const isKnownSetting = (value: unknown): value is KnownSetting =>
  typeof value === "object" && value !== null && "about" in value && "kind" in value

/** `batchSize` → `batch-size`. */
export const flagName = (key: string): string => key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)

const shown = (value: unknown): string =>
  typeof value === "number" && value > 0 && value < 1e-3 ? value.toExponential() : String(value)

/** What holds where the setting is absent, in words; undefined where there is nothing to say. */
export const defaultText = ({ kind, otherwise, default: value }: KnownSetting): string | undefined => {
  if (otherwise !== undefined) return otherwise
  if (value === undefined || kind === "boolean" || (Array.isArray(value) && value.length === 0)) return undefined
  return shown(value)
}

/** A whole number, 1 or more. */
export const count = Schema.Number.check(Schema.isInt(), Schema.isGreaterThanOrEqualTo(1))
/** A whole number, 0 or more. */
export const whole = Schema.Number.check(Schema.isInt(), Schema.isGreaterThanOrEqualTo(0))
export const positive = Schema.Number.check(Schema.isGreaterThan(0))
export const notNegative = Schema.Number.check(Schema.isGreaterThanOrEqualTo(0))

const doc =
  (kind: SettingDoc["kind"], value: string | undefined, expected: string) =>
  (about: string, otherwise?: string): SettingDoc => ({
    kind,
    about,
    expected,
    ...(value === undefined ? {} : { value }),
    ...(otherwise === undefined ? {} : { otherwise }),
  })

/** Documents of the usual kinds of settings: `countDoc("steps between checkpoints")`. */
export const countDoc = doc("number", "N", "a whole number, 1 or more")
export const wholeDoc = doc("number", "N", "a whole number, 0 or more")
export const positiveDoc = doc("number", "X", "a number above 0")
export const notNegativeDoc = doc("number", "X", "a number, 0 or more")
export const switchDoc = doc("boolean", undefined, "true or false")
export const textDoc = (value: string, about: string, otherwise?: string): SettingDoc =>
  doc("text", value, "a text")(about, otherwise)
export const textsDoc = (value: string, about: string, otherwise?: string): SettingDoc =>
  doc("texts", value, "a list of texts")(`${about}; may be repeated`, otherwise)
export const choiceDoc = (choices: readonly string[], about: string, otherwise?: string): SettingDoc =>
  doc("text", choices.join("|"), `${choices.slice(0, -1).join(", ")} or ${choices.at(-1)}`)(about, otherwise)
