import { Result, Schema, SchemaIssue } from "effect"
import { InvalidRowError } from "../Errors.ts"
import type { Place } from "../Source.ts"

const format = SchemaIssue.makeFormatterStandardSchemaV1()

/** A function that checks a row against a schema; what does not fit throws an `InvalidRowError` with line and field. */
export const rowDecoder = <S extends Schema.ConstraintDecoder<unknown>>(schema: S) => {
  const decode = Schema.decodeUnknownResult(schema)
  return (value: unknown, place: Place, hint?: string): S["Type"] => {
    const result = decode(value)
    if (Result.isSuccess(result)) return result.success
    const first = format(result.failure.issue).issues[0]
    const path = (first?.path ?? []).map((part) => (typeof part === "object" ? part.key : part))
    const found = describe(valueAt(value, path))
    const missing = found === "nothing"
    const field = fieldName(path)
    const expected = first === undefined || missing ? "a value" : first.message.replace(/^Expected /, "")
    throw new InvalidRowError({
      message: missing
        ? `${place.file}:${place.line} lacks the field ${field}`
        : `${place.file}:${place.line}${field === "" ? "" : `, field ${field}`}: expected ${expected}, found ${found}`,
      ...place,
      ...(field === "" ? {} : { field }),
      expected,
      found,
      ...(hint === undefined ? {} : { hint }),
    })
  }
}

const fieldName = (path: readonly PropertyKey[]): string =>
  path.reduce<string>(
    (name, part) =>
      typeof part === "number" ? `${name}[${part}]` : name === "" ? String(part) : `${name}.${String(part)}`,
    "",
  )

const valueAt = (value: unknown, path: readonly PropertyKey[]): unknown =>
  path.reduce<unknown>(
    (inner, key) => (typeof inner === "object" && inner !== null ? Reflect.get(inner, key) : undefined),
    value,
  )

const describe = (value: unknown): string => {
  if (value === undefined) return "nothing"
  const text = JSON.stringify(value)
  return text.length > 60 ? `${text.slice(0, 57)}...` : text
}
