import { Schema } from "effect"
import { contentHash } from "./ContentHash.ts"
import { InvalidRowError } from "./Errors.ts"
import type { ChatMessage, InstructionRow } from "./InstructionExample.ts"
import { rowDecoder } from "./internal/Decode.ts"
import { describedFields, description, isFields, isGiven, othersOf, slipsOf } from "./internal/Described.ts"
import { jsonLines } from "./internal/JsonLines.ts"
import { nearestName } from "./internal/NearestName.ts"
import type { Place, Source, TableRow } from "./Source.ts"

const roles = ["system", "developer", "user", "assistant"] as const

const Message = Schema.Struct({
  role: Schema.Literals(roles),
  content: Schema.Union([
    Schema.String,
    Schema.Array(Schema.Struct({ type: Schema.Literal("text"), text: Schema.String })),
  ]),
  weight: Schema.optionalKey(Schema.NullOr(Schema.Literals([0, 1]))),
  name: Schema.optionalKey(Schema.NullOr(Schema.String)),
})

const rowFields = { ...describedFields, messages: Schema.NonEmptyArray(Message) }

const decode = rowDecoder(Schema.Struct(rowFields))

/** What would change what is trained, and cannot be said here. */
const refused = {
  row: ["tools", "functions"],
  message: ["tool_calls", "function_call", "tool_call_id", "audio", "refusal", "train"],
} as const

/**
 * Conversations as OpenAI's fine-tuning takes them, one JSON object a line: `{"messages": [{"role", "content", "name"?,
 * "weight"?}], "id"?, "weight"?, "metadata"?}`. Turns of the assistant are trained on; `weight` 0 leaves one out, and is a
 * field of the assistant's turns alone. `weight` beside `messages` scales the example's loss. The role `developer` is
 * `system`; a content of several text parts is one text. Fields of other names are kept in `metadata`.
 *
 * Throws `InvalidRowError` for calls of tools and parts that are no text, which would be trained on otherwise than meant.
 */
export const parseChat = (source: Source): AsyncGenerator<InstructionRow> => chatRows(jsonLines(source), source.file)

/** {@link parseChat} for rows that are JSON values already. */
export async function* chatRows(rows: AsyncIterable<TableRow>, file: string): AsyncGenerator<InstructionRow> {
  for await (const { value, line } of rows) {
    const place = { file, line }
    const turns: readonly unknown[] = isFields(value) && Array.isArray(value["messages"]) ? value["messages"] : []
    refuse(value, refused.row, undefined, place)
    for (const [at, turn] of turns.entries()) refuse(turn, refused.message, `messages[${at}]`, place)
    const remarks = [
      ...slipsOf(value, Object.keys(rowFields)),
      ...turns.flatMap((turn) => slipsOf(turn, Object.keys(Message.fields))),
    ]
    const row = decode(value, place, remarks[0]?.subject ?? roleSlip(turns))
    const messages = row.messages.map((message, at) => messageOf(message, turns[at], at, place))
    yield {
      ...place,
      example: {
        kind: "messages",
        ...description(row, value, rowFields, `c-${contentHash(JSON.stringify(messages))}`),
        messages,
      },
      ...(remarks.length === 0 ? {} : { remarks }),
    }
  }
}

const messageOf = (
  { role, content, weight, name }: typeof Message.Type,
  turn: unknown,
  at: number,
  place: Place,
): ChatMessage => {
  if (role !== "assistant" && typeof weight === "number")
    throw invalid(place, `messages[${at}].weight`, "none: only turns of the assistant are trained on", String(weight))
  const metadata = othersOf(turn, Message.fields)
  return {
    role: role === "developer" ? "system" : role,
    content: typeof content === "string" ? content : content.map(({ text }) => text).join(""),
    trained: role === "assistant" && weight !== 0,
    ...(typeof name === "string" ? { name } : {}),
    ...(metadata === undefined ? {} : { metadata }),
  }
}

const refuse = (value: unknown, fields: readonly string[], within: string | undefined, place: Place): void => {
  if (!isFields(value)) return
  const field = fields.find((name) => isGiven(value[name]))
  if (field === undefined) return
  const hint =
    field === "train"
      ? "say it as OpenAI does, `weight` 0 or 1 at turns of the assistant"
      : "leave conversations with tools, audio and refusals out"
  throw invalid(
    place,
    within === undefined ? field : `${within}.${field}`,
    "conversations of text",
    JSON.stringify(value[field]).slice(0, 60),
    hint,
  )
}

const roleSlip = (turns: readonly unknown[]): string | undefined => {
  for (const turn of turns) {
    const role = isFields(turn) ? turn["role"] : undefined
    if (typeof role !== "string" || roles.some((known) => known === role)) continue
    const near = nearestName(role, roles)
    return near === undefined ? undefined : `${role} → ${near}?`
  }
  return undefined
}

const invalid = (place: Place, field: string, expected: string, found: string, hint?: string): InvalidRowError =>
  new InvalidRowError({
    message: `${place.file}:${place.line}, field ${field}: expected ${expected}, found ${found}`,
    ...place,
    field,
    expected,
    found,
    ...(hint === undefined ? {} : { hint }),
  })
