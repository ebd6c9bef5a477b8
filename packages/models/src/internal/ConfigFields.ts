import { InvalidLanguageModel, UnsupportedArchitecture } from "../Errors.ts"
import { isRecord } from "./Record.ts"

type Json = Readonly<Record<string, unknown>>

/** Reads the fields of a `config.json`; what is missing, impossible or unsupported ends in an error that names the field. */
export interface ConfigFields {
  readonly json: Json
  readonly file: string
  /** A number of at least `least`, from the first of the fields that is there; no fallback means that it must be. */
  readonly number: (fields: string | readonly string[], fallback: number | undefined, least: number) => number
  /** A whole number of at least `least`. */
  readonly count: (fields: string | readonly string[], fallback: number | undefined, least: number) => number
  readonly boolean: (field: string, fallback: boolean) => boolean
  readonly text: (field: string, fallback: string) => string
  /** The choice that a field's text stands for. */
  readonly choice: <A>(field: string, fallback: string, choices: Readonly<Record<string, A>>) => A
  /**
   * What `model_type` stands for. Another type, or none, ends in `UnsupportedArchitecture` that lists those there are:
   * no type is taken for a similar one.
   */
  readonly modelType: <A>(models: string, types: Readonly<Record<string, A>>, hint: string) => A
  /** Ends in `UnsupportedArchitecture` where a field asks for mathematics that is not built. */
  readonly refuse: (field: string, unsupported: boolean, hint?: string) => void
  /** The same for an object inside, named `outer.inner` in errors. */
  readonly inside: (field: string, value: Json) => ConfigFields
}

/** The fields of a parsed `config.json`. One that is no object ends in `InvalidLanguageModel`. */
export const configFields = (json: unknown, file: string, outer = ""): ConfigFields => {
  if (!isRecord(json)) throw new InvalidLanguageModel({ message: "the model's config is not a JSON object", file })
  const named = (field: string): string => outer + field
  const wrong = (field: string, expected: string, value: unknown): InvalidLanguageModel =>
    new InvalidLanguageModel({
      message: `${named(field)} of the model's config is not ${expected}`,
      file,
      field: named(field),
      expected,
      found: JSON.stringify(value) ?? "nothing",
    })
  const first = (fields: string | readonly string[]): readonly [string, unknown] => {
    const names = typeof fields === "string" ? [fields] : fields
    const name = names.find((field) => json[field] !== undefined && json[field] !== null) ?? names[0] ?? ""
    return [name, json[name] ?? undefined]
  }
  const number: ConfigFields["number"] = (fields, fallback, least) => {
    const [field, found] = first(fields)
    const value = found ?? fallback
    if (typeof value === "number" && Number.isFinite(value) && value >= least) return value
    throw wrong(field, `a number of at least ${least}`, value)
  }
  const text: ConfigFields["text"] = (field, fallback) => {
    const value = json[field] ?? fallback
    if (typeof value === "string") return value
    throw wrong(field, "a text", value)
  }
  const refuse: ConfigFields["refuse"] = (field, unsupported, hint) => {
    if (!unsupported) return
    const found = JSON.stringify(json[field]) ?? "nothing"
    throw new UnsupportedArchitecture({
      message: `${named(field)} of ${found} is not supported`,
      file,
      field: named(field),
      found,
      hint: hint ?? "use an ONNX export of the model",
    })
  }
  return {
    json,
    file,
    number,
    count: (fields, fallback, least) => {
      const value = number(fields, fallback, least)
      if (Number.isSafeInteger(value)) return value
      throw wrong(first(fields)[0], "a whole number", value)
    },
    boolean: (field, fallback) => {
      const value = json[field] ?? fallback
      if (typeof value === "boolean") return value
      throw wrong(field, "true or false", value)
    },
    text,
    choice: (field, fallback, choices) => {
      const name = text(field, fallback)
      const found = Object.hasOwn(choices, name) ? choices[name] : undefined
      if (found === undefined) refuse(field, true)
      return found!
    },
    modelType: (models, types, hint) => {
      const type = json["model_type"]
      const found = typeof type === "string" && Object.hasOwn(types, type) ? types[type] : undefined
      if (found !== undefined) return found
      throw new UnsupportedArchitecture({
        message: `no graph is built for ${models} of type ${type === undefined ? "nothing" : String(type)}`,
        file,
        field: "model_type",
        expected: Object.keys(types).join(", "),
        found: type === undefined ? "nothing" : String(type),
        hint,
      })
    },
    refuse,
    inside: (field, value) => configFields(value, file, `${named(field)}.`),
  }
}
