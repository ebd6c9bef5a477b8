import type { DataWarning } from "../DataWarning.ts"
import type { Remark } from "../Source.ts"

type Kind = DataWarning["kind"]

const sayings: Readonly<Partial<Record<Kind, (count: number) => string>>> = {
  "missing-passage": (n) =>
    `${n} ${n === 1 ? "judgement is" : "judgements are"} about passages that the corpus lacks; in an evaluation they count as not found`,
  "missing-question": (n) =>
    `${n} ${n === 1 ? "judgement is" : "judgements are"} about questions that the data lack; left out`,
  "empty-question": (n) => `${n} ${n === 1 ? "question has" : "questions have"} no text; left out`,
  "empty-passage": (n) => `${n} ${n === 1 ? "passage has" : "passages have"} neither text nor title; left out`,
  "title-alone": (n) =>
    `${n} ${n === 1 ? "passage has" : "passages have"} a title and no text; the title is taken as the text`,
  unanswerable: (n) =>
    `${n} ${n === 1 ? "question is" : "questions are"} marked as unanswerable; their paragraphs are no positives`,
  untrained: (n) => `${n} ${n === 1 ? "row has" : "rows have"} nothing to train on; left out`,
  "unknown-field": (n) => `${n} ${n === 1 ? "row has" : "rows have"} a field of an unknown name, kept in metadata`,
}

/** How many subjects of a kind are remembered by name. */
const named = 5

/** Remarks, counted by kind. */
export class Remarks {
  readonly #kinds = new Map<Kind, { count: number; readonly subjects: Set<string> }>()

  add({ kind, subject }: Remark): void {
    const entry = this.#kinds.get(kind) ?? { count: 0, subjects: new Set<string>() }
    entry.count++
    if (entry.subjects.size < named) entry.subjects.add(subject)
    this.#kinds.set(kind, entry)
  }

  /** The first subject of a kind. */
  first(kind: Kind): string | undefined {
    return this.#kinds.get(kind)?.subjects.values().next().value
  }

  warnings(): readonly DataWarning[] {
    return [...this.#kinds].map(([kind, { count, subjects }]) => ({
      kind,
      count,
      examples: [...subjects],
      message: `${sayings[kind]?.(count) ?? `${count} times ${kind}`} (${[...subjects].join(", ")}${subjects.size === named ? ", …" : ""})`,
    }))
  }
}
