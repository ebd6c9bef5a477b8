import { InvalidRowError } from "@tandem/datasets"
import { Result, Schema, SchemaIssue } from "effect"
import type { Conversation } from "./Item.ts"

const whole = Schema.Number.check(Schema.isInt(), Schema.isGreaterThanOrEqualTo(0))

const ChunkFields = Schema.Struct({
  id: Schema.String,
  source: Schema.String,
  document: Schema.String,
  index: whole,
  text: Schema.String,
  title: Schema.optionalKey(Schema.String),
  heading: Schema.optionalKey(Schema.String),
  start: whole,
  end: whole,
})

const ConversationFields = Schema.Struct({
  item: Schema.Struct({
    key: Schema.String,
    chunk: ChunkFields,
    shown: Schema.Array(ChunkFields),
    failed: Schema.Boolean,
    multi: Schema.optionalKey(Schema.Array(ChunkFields)),
  }),
  turns: Schema.Array(
    Schema.Struct({
      role: Schema.Literals(["user", "assistant"]),
      text: Schema.String,
      thoughts: Schema.optionalKey(Schema.String),
    }),
  ),
})

const decode = Schema.decodeUnknownResult(ConversationFields)
const format = SchemaIssue.makeFormatterStandardSchemaV1()

/** A conversation as a line of `rag_success_convs.jsonl` or `rag_failed_convs.jsonl`. */
export const conversationLine = ({ item, turns }: Conversation): string => `${JSON.stringify({ item, turns })}\n`

/** The conversation of such a line, parsed. What is none ends in `InvalidRowError`, which names its place. */
export const conversationOf = (
  value: unknown,
  place: { readonly file: string; readonly line: number },
): Conversation => {
  const result = decode(value)
  if (Result.isSuccess(result)) return result.success
  const first = format(result.failure.issue).issues[0]
  const field = (first?.path ?? []).map((part) => String(typeof part === "object" ? part.key : part)).join(".")
  throw new InvalidRowError({
    message: `${place.file}:${place.line} is no conversation${field === "" ? "" : `, field ${field}`}`,
    ...place,
    field,
    expected: (first?.message ?? "an item and its turns").replace(/^Expected /, ""),
    found: typeof value === "object" ? "another object" : typeof value,
  })
}
