import type { Passage } from "./Passage.ts"

/** Something about the data that a person should know before training; it stops nothing. */
export interface DataWarning {
  readonly kind:
    | "question-in-both-sets"
    | "duplicate-question"
    | "missing-passage"
    | "missing-question"
    | "empty-question"
    | "empty-passage"
    | "title-alone"
    | "unanswerable"
    | "unknown-field"
    | "untrained"
    | "ignored-titles"
  /** How many rows, judgements or passages are concerned. */
  readonly count: number
  /** Ids, or names, of the first few of them. */
  readonly examples: readonly string[]
  readonly message: string
}

/** A warning about passages whose titles an encoder will not read; none where no passage has one. */
export const ignoredTitles = (corpus: Iterable<Passage>): readonly DataWarning[] => {
  const titled = [...corpus].filter(({ title = "" }) => title !== "")
  if (titled.length === 0) return []
  return [
    {
      kind: "ignored-titles",
      count: titled.length,
      examples: titled.slice(0, 5).map(({ id }) => id),
      message: `${titled.length} passages have a title, which the encoder does not read; \`titles\` prefix puts it before the text`,
    },
  ]
}
