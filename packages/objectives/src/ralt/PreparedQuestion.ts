import { Schema } from "effect"

/** A passage that was found for a question, or that answers it. */
export const PreparedPassage = Schema.Struct({
  id: Schema.String,
  title: Schema.optionalKey(Schema.String),
  text: Schema.String,
  /** What it was found with; absent where it answers the question and was not found. */
  score: Schema.optionalKey(Schema.Number),
  /** Whether the data say that it answers the question. */
  gold: Schema.optionalKey(Schema.Boolean),
})
export type PreparedPassage = typeof PreparedPassage.Type

/** A question with its answers and its passages, found ones first, best first: a row of a prepared file. */
export const PreparedQuestion = Schema.Struct({
  id: Schema.String,
  query: Schema.String,
  /** The text that is trained on. */
  answer: Schema.String,
  /** All texts that count as right. */
  answers: Schema.Array(Schema.String),
  passages: Schema.Array(PreparedPassage),
  /** Ids of further passages that answer and are not among these. */
  alsoGold: Schema.optionalKey(Schema.Array(Schema.String)),
  /** What the question counts for; 1 where absent. */
  weight: Schema.optionalKey(Schema.Number),
})
export type PreparedQuestion = typeof PreparedQuestion.Type

/** The passages that were found for a question, best first. */
export const foundPassages = ({ passages }: PreparedQuestion): readonly PreparedPassage[] =>
  passages.filter(({ score }) => score !== undefined)

/** A passage that answers the question: the best that was found, or one that was not. */
export const goldPassage = ({ passages }: PreparedQuestion): PreparedPassage | undefined =>
  passages.find(({ gold }) => gold === true)
