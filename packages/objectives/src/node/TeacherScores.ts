import { type DatasetError, isDatasetError } from "@tandem/datasets"
import { textChunks } from "@tandem/datasets/node/TextFile"
import type { RunFolderError } from "@tandem/runs"
import { writeWhole } from "@tandem/runs/node/RunFiles"
import type { Hit } from "@tandem/store"
import { Effect, Option, Schema } from "effect"
import { InvalidScoresError } from "../Errors.ts"
import type { TaughtHit } from "../lsr/LsrBatches.ts"
import { isLikelihood, type TaughtCandidate, type TaughtQuestion } from "../lsr/TaughtQuestion.ts"

/** A line of a file of scores: a language model's likelihood of the answer, or another model's score of the passage. */
const Row = Schema.Struct({
  queryId: Schema.optionalKey(Schema.String),
  query: Schema.optionalKey(Schema.String),
  passageId: Schema.String,
  logprob: Schema.optionalKey(Schema.Number),
  tokens: Schema.optionalKey(Schema.Number),
  score: Schema.optionalKey(Schema.Number),
})

/** What scores are read for. */
export interface ReadScores {
  readonly file: string
  readonly questions: readonly TaughtQuestion[]
  /** The passages that the file's ids speak of. */
  readonly passage: (id: string) => Hit | undefined
  /** `likelihood`: `logprob` and `tokens` of a language model; `score`: what a cross-encoder or an embedding model says. */
  readonly kind: "likelihood" | "score"
  /** Candidates of a question, at most: the first ones of the file. */
  readonly k: number
}

interface Scored {
  readonly passageId: string
  readonly taught: TaughtCandidate
}

/**
 * Reads the scores that a teacher gave before: by question its candidates, in the file's order. Lines of questions that are
 * not asked for are left unused.
 *
 * A line without a value of that kind, one that is no number, a pair that is there twice, a passage that nobody knows, an
 * answer of different lengths, and a question without any line end in `InvalidScoresError` with file and line.
 */
export const readTeacherScores = Effect.fnUntraced(function* ({ file, questions, passage, kind, k }: ReadScores) {
  const rows = new Map<string, Scored[]>()
  const seen = new Map<string, number>()
  const text = yield* textOf(file)
  for (const [index, line] of text.split("\n").entries()) {
    if (line.trim() === "") continue
    const { question, ...scored } = yield* rowOf(line, kind, (expected, found) =>
      invalid(file, index + 1, expected, found),
    )
    const pair = JSON.stringify([question, scored.passageId])
    const before = seen.get(pair)
    if (before !== undefined) {
      return yield* invalid(file, index + 1, "each question with each passage once", `the pair of line ${before} again`)
    }
    seen.set(pair, index + 1)
    const others = rows.get(question)
    if (others === undefined) rows.set(question, [scored])
    else if (others[0]!.taught.tokens === scored.taught.tokens) others.push(scored)
    else {
      const found = `${scored.taught.tokens}, and ${others[0]!.taught.tokens} with another passage`
      return yield* invalid(file, index + 1, "`tokens` of one answer", found)
    }
  }
  const rowsOf = ({ id, query }: TaughtQuestion) => rows.get(idKey(id)) ?? rows.get(textKey(query)) ?? []
  const missing = questions.filter((question) => rowsOf(question).length === 0)
  if (missing.length > 0) {
    return yield* new InvalidScoresError({
      message: `${missing.length} of ${questions.length} questions have no scores`,
      file,
      field: "queryId",
      expected: "lines of every question, by `queryId` or `query`",
      found: `none of ${missing[0]!.id}`,
      hint: "score them, or leave them out of the data",
    })
  }
  const found = new Map<TaughtQuestion, readonly TaughtHit[]>()
  for (const question of questions) {
    const taught: TaughtHit[] = []
    for (const { passageId, taught: value } of rowsOf(question).slice(0, k)) {
      const hit = passage(passageId)
      if (hit === undefined) {
        return yield* new InvalidScoresError({
          message: `a passage of ${file} is not among those that are searched`,
          file,
          field: "passageId",
          expected: "an id of the corpus",
          found: passageId,
        })
      }
      taught.push({ hit, taught: value })
    }
    found.set(question, taught)
  }
  const fewer = [...found.values()].filter(({ length }) => length < k).length
  const warnings = fewer === 0 ? [] : [`${fewer} of ${questions.length} questions have less than \`k\` ${k} scores`]
  return { found, warnings }
})

const idKey = (id: string): string => `id ${id}`
const textKey = (query: string): string => `query ${query}`

const rowOf = Effect.fnUntraced(function* (
  line: string,
  kind: ReadScores["kind"],
  broken: (expected: string, found: string) => InvalidScoresError,
) {
  const row = Option.getOrUndefined(Schema.decodeUnknownOption(Row)(parsed(line)))
  if (row === undefined) {
    return yield* broken("JSON with passageId and numbers that are finite", line)
  }
  const { queryId, query, passageId, logprob, tokens, score } = row
  const question = queryId === undefined ? query && textKey(query) : idKey(queryId)
  if (question === undefined) return yield* broken("`queryId` or `query`", line)
  if (kind === "score") {
    if (score === undefined || !Number.isFinite(score)) {
      return yield* broken("score, a number: the loss learns from scores of passages", line)
    }
    return { question, passageId, taught: { value: score, tokens: 0 } }
  }
  if (logprob === undefined || tokens === undefined) {
    return yield* broken("`logprob` and `tokens`: the loss learns from likelihoods of answers", line)
  }
  if (!isLikelihood({ logprob, tokens })) {
    return yield* broken("`logprob` in nats, at most 0, of at least one of `tokens`", line)
  }
  return { question, passageId, taught: { value: logprob, tokens } }
})

const invalid = (file: string, line: number, expected: string, found: string): InvalidScoresError =>
  new InvalidScoresError({
    message: `${file}:${line} is no score that can be learned from`,
    file,
    line,
    expected,
    found: found.slice(0, 120),
  })

const parsed = (line: string): unknown => {
  try {
    return JSON.parse(line)
  } catch {
    return undefined
  }
}

const textOf = (file: string): Effect.Effect<string, DatasetError> =>
  Effect.tryPromise({
    try: async () => {
      const chunks: string[] = []
      for await (const chunk of textChunks(file)) chunks.push(chunk)
      return chunks.join("")
    },
    catch: (cause) => cause,
  }).pipe(Effect.catch((cause) => (isDatasetError(cause) ? Effect.fail(cause) : Effect.die(cause))))

/** Writes scores as {@link readTeacherScores} reads them. */
export const writeTeacherScores = (
  file: string,
  found: ReadonlyMap<TaughtQuestion, readonly TaughtHit[]>,
): Effect.Effect<void, RunFolderError> =>
  writeWhole(
    file,
    [...found]
      .flatMap(([{ id }, taught]) =>
        taught.map(({ hit, taught: { value, tokens } }) => ({
          queryId: id,
          passageId: hit.passage.id,
          logprob: value,
          tokens,
        })),
      )
      .map((row) => `${JSON.stringify(row)}\n`)
      .join(""),
  )
