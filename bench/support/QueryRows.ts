// Questions as a retriever's steps read them: encoded queries beside the stored vectors of their candidates.
import { readFileSync } from "node:fs"
import type { Encoder } from "@tandem/models"
import { type LsrBatch, lsrBatches } from "@tandem/objectives"
import type { JointRow } from "./JointRow.ts"

/** The questions of each line. */
export const readJointBatches = (file: string): readonly (readonly JointRow[])[] =>
  readFileSync(file, "utf8")
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line))

/** A batch of a question's candidates and what a teacher says of each; rows bring token ids, so that no text is read. */
export const taughtBatch = (
  encoder: Encoder,
  temperature: number,
  rows: readonly JointRow[],
  logprobs: readonly (readonly number[])[],
): LsrBatch => {
  const questions = rows.map((_, index) => ({ id: `${index}`, query: "", answer: "", gold: new Set<string>() }))
  const { complete } = lsrBatches(
    { kind: "untied", query: encoder, passage: encoder },
    {
      questions,
      retrieval: { similarity: "cosine", temperature, maxLength: { query: 128, passage: 128 }, titles: undefined },
      ...{ seed: 0, batchSize: rows.length, k: rows[0]!.prompts.length, passages: "frozen" },
    },
  )
  return complete(
    rows.map(({ query }, index) => ({
      question: questions[index]!,
      encoded: { ids: query, mask: query.map(() => 1), types: query.map(() => 0), cut: 0 },
    })),
    rows.map(({ vectors, answer }, row) =>
      vectors.map((vector, index) => ({
        hit: { passage: { id: `${index}`, text: "" }, score: 0, vector: Float32Array.from(vector) },
        taught: { value: logprobs[row]![index]!, tokens: answer.length },
      })),
    ),
  )
}
