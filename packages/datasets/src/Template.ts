import { Schema } from "effect"
import { contentHash } from "./ContentHash.ts"
import { InvalidRowError } from "./Errors.ts"
import { type InstructionRow, questionAndAnswer } from "./InstructionExample.ts"
import { rowDecoder } from "./internal/Decode.ts"
import { describedFields, description, isFields, slipsOf } from "./internal/Described.ts"
import { nearestName } from "./internal/NearestName.ts"
import type { Place, TableRow } from "./Source.ts"

/**
 * How a row becomes a question and its answer: texts in which `{field}` stands for a field of the row, `{answers.0}` for
 * what lies in one, `{{` and `}}` for braces. Spaces around the result are taken off.
 */
export interface InstructionTemplate {
  /** What the user says: `"{instruction}\n{input}"`. */
  readonly query: string
  /** What the model learns to say: `"{output}"`. */
  readonly response: string
}

const decode = rowDecoder(Schema.Struct(describedFields))

/**
 * Rows of any table as conversations of question and answer (RA-DIT, Lin et al. 2023: each instruction set has a template of
 * its own). A field that is absent or null is an empty text. `id` and `weight` of a row are those of its example; fields
 * that the template does not name are kept in `metadata`.
 *
 * Throws `RangeError` for a template with a stray brace or without a field in one of its two texts, and `InvalidRowError`
 * for a field that holds no text or number, or that no row has.
 */
export async function* templateRows(
  rows: AsyncIterable<TableRow>,
  file: string,
  template: InstructionTemplate,
): AsyncGenerator<InstructionRow> {
  const [query, response] = [piecesOf(template.query, "query"), piecesOf(template.response, "response")]
  const names = templateFields(template)
  const known = { ...describedFields, ...Object.fromEntries(names.map((name) => [name, true])) }
  const unseen = new Set(names)
  let first: { readonly value: object; readonly place: Place } | undefined
  for await (const { value, line } of rows) {
    const place = { file, line }
    const row = decode(value, place)
    if (!isFields(value)) continue
    first ??= { value, place }
    for (const name of unseen) if (Object.hasOwn(value, name)) unseen.delete(name)
    const remarks = slipsOf(value, names)
    const messages = questionAndAnswer(filled(query, value, place), filled(response, value, place))
    yield {
      ...place,
      example: {
        kind: "messages",
        ...description(row, value, known, `i-${contentHash(JSON.stringify(messages))}`),
        messages,
      },
      ...(remarks.length === 0 ? {} : { remarks }),
    }
  }
  const [missing] = unseen
  if (missing !== undefined && first !== undefined) throw unknownField(missing, first.value, first.place)
}

/** The names of the fields that a template speaks of. */
export const templateFields = ({ query, response }: InstructionTemplate): readonly string[] => [
  ...new Set([...piecesOf(query, "query"), ...piecesOf(response, "response")].flatMap(({ path }) => path?.[0] ?? [])),
]

/** A text, or the path of a field. */
interface Piece {
  readonly text: string
  readonly path?: readonly string[]
}

const piecesOf = (template: string, name: keyof InstructionTemplate): readonly Piece[] => {
  const pieces = Array.from(template.matchAll(/\{\{|\}\}|\{([^{}]*)\}|[{}]|[^{}]+/g), ([text, field]): Piece => {
    if (text === "{{" || text === "}}") return { text: text.slice(1) }
    if (field !== undefined && field.trim() !== "") return { text, path: field.trim().split(".") }
    if (/^[{}]/.test(text))
      throw new RangeError(`the template of \`${name}\` has a brace that holds no field: write {{ or }} for a brace`)
    return { text }
  })
  if (pieces.some(({ path }) => path !== undefined)) return pieces
  throw new RangeError(`the template of \`${name}\` names no field: \`{${name}}\` stands for one of that name`)
}

const filled = (pieces: readonly Piece[], row: object, place: Place): string =>
  pieces
    .map(({ text, path }) => (path === undefined ? text : textAt(row, path, place)))
    .join("")
    .trim()

const textAt = (row: object, path: readonly string[], place: Place): string => {
  const value = path.reduce<unknown>(
    (inner, key) =>
      typeof inner === "object" && inner !== null && Object.hasOwn(inner, key) ? Reflect.get(inner, key) : undefined,
    row,
  )
  if (value === undefined || value === null) return ""
  if (typeof value === "string") return value
  if (typeof value === "number" || typeof value === "boolean") return String(value)
  const field = path.join(".")
  const found = (JSON.stringify(value) ?? "nothing").slice(0, 60)
  throw new InvalidRowError({
    message: `${place.file}:${place.line}, field ${field}: expected a text or a number, found ${found}`,
    ...place,
    field,
    expected: "a text or a number",
    found,
    hint: Array.isArray(value) ? `{${field}.0} is the first of a list` : "name what lies in it, with dots between",
  })
}

const unknownField = (field: string, row: object, { file, line }: Place): InvalidRowError => {
  const names = Object.keys(row)
  const near = nearestName(field, names)
  return new InvalidRowError({
    message: `${file}: no row has the field ${field} of the template`,
    file,
    line,
    field,
    expected: `one of ${names.join(", ")}`.slice(0, 200),
    found: field,
    ...(near === undefined ? {} : { hint: `${field} → ${near}?` }),
  })
}
