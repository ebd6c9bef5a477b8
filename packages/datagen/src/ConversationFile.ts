import { InvalidRowError } from "@tandem/datasets"
import { Result, Schema, SchemaIssue } from "effect"
import type { Conversation, Rejected, Turn } from "./Item.ts"

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

const ItemFields = Schema.Struct({
  key: Schema.String,
  chunk: ChunkFields,
  shown: Schema.Array(ChunkFields),
  failed: Schema.Boolean,
  multi: Schema.optionalKey(Schema.Array(ChunkFields)),
})

const TurnFields = Schema.Struct({
  role: Schema.Literals(["user", "assistant"]),
  text: Schema.String,
  thoughts: Schema.optionalKey(Schema.String),
})

const ConversationFields = Schema.Struct({ item: ItemFields, turns: Schema.Array(TurnFields) })

const RejectedFields = Schema.Struct({
  item: ItemFields,
  stage: Schema.Literals(["filter", "simulate", "generate", "verify"]),
  reason: Schema.String,
  turns: Schema.optionalKey(Schema.Array(TurnFields)),
})

const decodeConversation = Schema.decodeUnknownResult(ConversationFields)
const decodeRejected = Schema.decodeUnknownResult(RejectedFields)
const format = SchemaIssue.makeFormatterStandardSchemaV1()

/** Where a line stands. */
export interface LinePlace {
  readonly file: string
  readonly line: number
}

/** A conversation as a line of `rag_success_convs.jsonl` or `rag_failed_convs.jsonl`. */
export const conversationLine = ({ item, turns }: Conversation): string => `${JSON.stringify({ item, turns })}\n`

/** The conversation of such a line, parsed. What is none ends in `InvalidRowError`, which names its place. */
export const conversationOf = (value: unknown, place: LinePlace): Conversation =>
  succeeded(decodeConversation(value), "conversation", place)

/** A line of `rejected.jsonl`: an item that was left out, with the conversation where there was one. */
export interface RejectedLine extends Rejected {
  readonly turns?: readonly Turn[]
}

/** What such a line holds, parsed. What is none ends in `InvalidRowError`, which names its place. */
export const rejectedOf = (value: unknown, place: LinePlace): RejectedLine =>
  succeeded(decodeRejected(value), "rejected item", place)

const succeeded = <A>(result: Result.Result<A, Schema.SchemaError>, what: string, place: LinePlace): A => {
  if (Result.isSuccess(result)) return result.success
  const first = format(result.failure.issue).issues[0]
  const field = (first?.path ?? []).map((part) => String(typeof part === "object" ? part.key : part)).join(".")
  throw new InvalidRowError({
    message: `${place.file}:${place.line} is no ${what}${field === "" ? "" : `, field ${field}`}`,
    file: place.file,
    line: place.line,
    field,
    expected: (first?.message ?? "an object with an item").replace(/^Expected /, ""),
    found: "something else",
  })
}
