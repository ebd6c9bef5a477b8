import { configFacts, outcomeFigures, outcomeSentence, type Report, type Section, signed } from "@tandem/report"
import type { DualReport, DualRow } from "./DualReport.ts"

/** Figures of the table, where a row has them; the page's sentence is about the first that changed. */
const shown = [
  "recall@1",
  "mrr@10",
  "closedBook.nll",
  "random.nll",
  "retrieved.nll",
  "gold.nll",
  "retrieved.exactMatch",
]
const deciding = ["retrieved.exactMatch", "retrieved.nll", "recall@1"]

/** The page of a run of rounds: the system after each half, and before and after all of them. */
export const dualPage = ({ rows, status }: DualReport, config: unknown): Report<Section> => {
  const columns = shown.filter((name) => rows.some(({ metrics }) => name in metrics))
  const [first, last] = [rows[0]?.metrics, rows.length > 1 ? rows.at(-1)?.metrics : undefined]
  const outcome = {
    ...(first === undefined ? {} : { before: first }),
    ...(last === undefined ? {} : { after: last }),
  }
  const rounds = Math.max(0, ...rows.map(({ round }) => round))
  return {
    command: "tandem dual train",
    title: outcomeSentence(outcome, deciding) ?? "nothing was measured yet",
    status,
    summary: [["rounds", `${rounds}`]],
    lead: [
      "The reader learns on what the retriever finds, then the retriever by what helps the reader; each half has a run folder of its own with a page of its own.",
    ],
    notices: [],
    sections: [
      {
        kind: "table",
        title: "The system after each half",
        head: ["", ...columns],
        rows: rows.map((row) => [nameOf(row), ...columns.map((name) => row.metrics[name]?.toFixed(3) ?? "–")]),
      },
      ...changeTable(rows),
      outcomeFigures(outcome),
      configFacts(config, undefined),
    ],
  }
}

/** What each half moved, with 95 % intervals. */
const changeTable = (rows: readonly DualRow[]): readonly Section[] => {
  const halves = rows.flatMap((row) => (row.change === undefined ? [] : [{ row, change: row.change }]))
  const columns = shown.filter((name) => halves.some(({ change }) => name in change))
  if (columns.length === 0) return []
  return [
    {
      kind: "table",
      title: "What each half moved, with 95 % intervals",
      head: ["", ...columns],
      rows: halves.map(({ row, change }) => [nameOf(row), ...columns.map((name) => moved(change[name]))]),
    },
  ]
}

const moved = (interval: NonNullable<DualRow["change"]>[string] | undefined): string => {
  if (interval === undefined) return "–"
  const [estimate, low, high] = [interval.estimate, interval.low, interval.high].map(signed)
  return `${estimate} (${low} to ${high})`
}

const nameOf = ({ round, trained }: DualRow): string =>
  trained === "nothing" ? "before" : `round ${round}, ${trained}: round-${round}-${trained}`
