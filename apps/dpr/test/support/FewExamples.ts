import { writeFileSync } from "node:fs"
import { join } from "node:path"

/** A passage about one of a few things; two passages share a document. */
export interface FewPassage {
  readonly id: string
  readonly title: string
  readonly text: string
}

/** A question with its passage, a passage that misleads, and its answer. */
export interface FewExample {
  readonly id: string
  readonly query: string
  readonly positive: FewPassage
  readonly negative: FewPassage
  readonly answer: string
}

const things: readonly (readonly [string, string, string, string])[] = [
  ["tower", "stands in the old town", "was built by a king", "old town"],
  ["song", "was written by anna", "is sung in spring", "anna"],
  ["river", "runs to the north", "is cold in winter", "north"],
  ["cat", "eats fish and mice", "sleeps on a red chair", "fish"],
  ["ship", "sailed to rio in may", "carries tea and rice", "rio"],
  ["bridge", "was opened in 1903", "is made of stone", "1903"],
]

export const fewPassages: readonly FewPassage[] = things.flatMap(([name, first, second]) => [
  { id: `${name}-1`, title: name, text: `The ${name} ${first}.` },
  { id: `${name}-2`, title: name, text: `The ${name} ${second}.` },
])

/** Six questions, each about the first passage of its thing. */
export const fewExamples: readonly FewExample[] = things.map(([name, first, , answer], index) => ({
  id: `q${index}`,
  query: `What is known of the ${name} that ${first.split(" ").slice(0, 2).join(" ")}?`,
  positive: fewPassages[2 * index]!,
  negative: fewPassages[2 * index + 1]!,
  answer,
}))

/** One object a line. */
export const writeLines = (file: string, rows: readonly unknown[]): string => {
  writeFileSync(file, rows.map((row) => `${JSON.stringify(row)}\n`).join(""))
  return file
}

/** The examples as JSON Lines that name passages by id, with their hard negatives, and their corpus. */
export const writeOwn = (folder: string): { readonly data: string; readonly corpus: string } => ({
  data: writeLines(
    join(folder, "train.jsonl"),
    fewExamples.map(({ id, query, positive, negative, answer }) => ({
      id,
      query,
      positives: [positive.id],
      negatives: [negative.id],
      answers: [answer],
    })),
  ),
  corpus: writeLines(
    join(folder, "corpus.jsonl"),
    fewPassages.map(({ id, title, text }) => ({ id, title, text, metadata: { document: title } })),
  ),
})
