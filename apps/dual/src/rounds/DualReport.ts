import { Schema } from "effect"

/** How far figures moved, by name: after minus before, question by question, with its 95 % interval. */
export const Changes = Schema.Record(
  Schema.String,
  Schema.Struct({
    ...{ estimate: Schema.Number, low: Schema.Number, high: Schema.Number },
    ...{ confidence: Schema.Number, n: Schema.Number },
  }),
)

/** A system after one half of a round, or before the first. */
export const DualRow = Schema.Struct({
  round: Schema.Number,
  /** What was trained last. */
  trained: Schema.Literals(["nothing", "reader", "retriever"]),
  /** Of retrieval, and of answers without passages, with those that were found and with the one that answers. */
  metrics: Schema.Record(Schema.String, Schema.Number),
  /** What this half moved on the questions that it was measured by. */
  change: Schema.optionalKey(Changes),
})
export type DualRow = typeof DualRow.Type

/** `report.json` of rounds. */
export const DualReport = Schema.Struct({
  format: Schema.Literal(1),
  command: Schema.Literal("dual train"),
  status: Schema.Literals(["interrupted", "completed"]),
  rows: Schema.Array(DualRow),
})
export type DualReport = typeof DualReport.Type
