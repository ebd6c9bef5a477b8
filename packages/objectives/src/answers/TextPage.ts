import type { EvaluationChart, Section } from "@tandem/report"
import type { LabelledText } from "../ralt/LabelledText.ts"
import { groupOf, type TextGroup, textGroups } from "./EvaluateTexts.ts"

/** What a run's page draws of evaluations of texts. */
export const textCharts: readonly EvaluationChart[] = [
  { title: "Nats a token of what is trained", metrics: ["nll", ...textGroups.map((name) => `${name}.nll`)] },
]

const meanings: Readonly<Record<TextGroup, string>> = {
  success: "rows whose retrieval found what answers (`failed` is false)",
  failed: "rows whose retrieval failed (`failed` is true)",
}

/** What the figures of groups are over; nothing where no text says its group. */
export const groupTable = (texts: readonly LabelledText[]): readonly Section[] => {
  const rowOf = (figure: string, meaning: string, own: readonly LabelledText[]) => {
    const tokens = own.reduce((sum, { labels }) => sum + labels.filter(Boolean).length, 0)
    return [figure, meaning, `${own.length}`, `${tokens}`]
  }
  const groups = textGroups.flatMap((name) => {
    const own = texts.filter((text) => groupOf(text) === name)
    return own.length === 0 ? [] : [rowOf(`${name}.nll`, meanings[name], own)]
  })
  if (groups.length === 0) return []
  return [
    {
      kind: "table",
      title: "Rows by their context",
      head: ["figure", "nats a token of", "rows", "trained tokens"],
      rows: [rowOf("nll", "all rows", texts), ...groups],
    },
  ]
}
