import { InvalidRowError } from "./Errors.ts"

/** Grades by query id and passage id. */
export type Qrels = ReadonlyMap<string, ReadonlyMap<string, number>>

/** Scores by query id and passage id. */
export type TrecRun = ReadonlyMap<string, ReadonlyMap<string, number>>

/** Judgements as trec_eval reads them: `query 0 passage grade` a line. Throws `InvalidRowError`. */
export const parseQrels = (text: string, file = "<qrels>"): Qrels =>
  table(text, file, "query 0 passage grade", 4, (fields) => [fields[0]!, fields[2]!, fields[3]!])

/** A run as trec_eval reads it: `query Q0 passage rank score tag` a line; ranks are not looked at. Throws `InvalidRowError`. */
export const parseTrecRun = (text: string, file = "<run>"): TrecRun =>
  table(text, file, "query Q0 passage rank score tag", 6, (fields) => [fields[0]!, fields[2]!, fields[4]!])

/** A run in that format, in pieces; passages by descending score, ties by descending id, as trec_eval ranks them. */
export function* trecRun(run: TrecRun, tag = "tandem"): Generator<string> {
  for (const [query, scores] of run) {
    const ranked = [...scores].sort(([a, x], [b, y]) => y - x || (a < b ? 1 : a > b ? -1 : 0))
    for (const [index, [passage, score]] of ranked.entries()) {
      yield `${query} Q0 ${passage} ${index + 1} ${score} ${tag}\n`
    }
  }
}

const table = (
  text: string,
  file: string,
  expected: string,
  columns: number,
  pick: (fields: readonly string[]) => readonly [string, string, string],
): Map<string, Map<string, number>> => {
  const result = new Map<string, Map<string, number>>()
  for (const [index, line] of text.split("\n").entries()) {
    if (line.trim() === "") continue
    const fields = line.trim().split(/\s+/)
    const [query, passage, number] = fields.length === columns ? pick(fields) : ["", "", "none"]
    const value = Number(number)
    if (!Number.isFinite(value)) {
      throw new InvalidRowError({
        message: `${file}:${index + 1} is not a line of the form "${expected}"`,
        file,
        line: index + 1,
        expected,
        found: line.slice(0, 60),
      })
    }
    const scores = result.get(query) ?? new Map<string, number>()
    scores.set(passage, value)
    result.set(query, scores)
  }
  return result
}
