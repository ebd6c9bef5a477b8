import { loadTokenizer } from "@tandem/models/node/LoadTokenizer"
import { Random } from "@tandem/random"
import { Effect } from "effect"
import type { JointRow } from "./JointRow.ts"
import { passageQuestions } from "./PassageQuestions.ts"

/** Of an embedding. */
const width = 384

/** As many numbers of unit length as an embedding has, of one passage of one question. */
const vectorOf = (question: number, passage: number): readonly number[] => {
  const random = Random.fromSeed(1).derive(question, passage)
  const values = Array.from({ length: width }, () => random.normal())
  const length = Math.sqrt(values.reduce((sum, value) => sum + value * value, 0))
  return values.map((value) => value / length)
}

/** Batches of questions for a reader and for MiniLM, beside each passage's prompt a vector. */
export const jointQuestions = async (
  models: { readonly model: string; readonly encoder: string },
  { batches, batchSize, k }: { readonly batches: number; readonly batchSize: number; readonly k: number },
): Promise<readonly (readonly JointRow[])[]> => {
  const questions = await passageQuestions(models.model, { count: batches * batchSize, k })
  const tokenizer = await Effect.runPromise(loadTokenizer(models.encoder))
  const rows = questions.map(
    ({ query, prompts, answer }, index): JointRow => ({
      query: tokenizer.encode(query, { maxLength: 128 }).ids,
      prompts,
      answer,
      vectors: prompts.map((_, passage) => vectorOf(index, passage)),
    }),
  )
  return Array.from({ length: batches }, (_, step) => rows.slice(step * batchSize, (step + 1) * batchSize))
}
