// Files of a small world: eight things, who owns them, and questions about that.
import { writeFileSync } from "node:fs"
import { join } from "node:path"

const owners = ["anna", "ben", "cleo", "dan", "eve", "finn", "gina", "hugo"]
const things = ["house", "boat", "garden", "mill", "tower", "bridge", "barn", "well"]

export interface SmallWorld {
  readonly data: string
  readonly dev: string
  readonly corpus: string
  readonly template: string
}

/** Writes rows as lines of JSON and tells the file. */
export const lines = (folder: string, name: string, rows: readonly unknown[]): string => {
  const file = join(folder, name)
  writeFileSync(file, rows.map((row) => `${JSON.stringify(row)}\n`).join(""))
  return file
}

/** Questions with answers, of which evaluation ones alone name their passages, and two passages about each thing. */
export const smallWorld = (folder: string): SmallWorld => {
  const template = join(folder, "template.txt")
  writeFileSync(template, "question: {query} context: {context} answer: {response}")
  return {
    data: lines(
      folder,
      "train.jsonl",
      things.flatMap((thing, index) =>
        [`who owns the ${thing}?`, `whose is the ${thing}?`].map((query, at) => ({
          id: `q${index}-${at}`,
          query,
          answers: [owners[index]],
        })),
      ),
    ),
    dev: lines(
      folder,
      "dev.jsonl",
      things.map((thing, index) => ({
        id: `d${index}`,
        query: `the ${thing} is whose?`,
        answers: [owners[index]],
        positives: [`${thing}-1`],
      })),
    ),
    corpus: lines(
      folder,
      "corpus.jsonl",
      things.flatMap((thing, index) => [
        { id: `${thing}-1`, title: thing, text: `The ${thing} belongs to ${owners[index]}.` },
        { id: `${thing}-2`, title: thing, text: `The ${thing} is old and made of stone.` },
      ]),
    ),
    template,
  }
}

/** Settings of a small run: tiny models, two passages a question. */
export const smallRun = ({ data, dev, corpus, template }: SmallWorld) => ({
  ...{ data, dev, corpus, template, model: "tiny", generator: "tiny", k: 2, batchSize: 4, maxAnswer: 8, maxPrompt: 64 },
  ...{ tiny: { hidden: 32, layers: 1, heads: 2, intermediate: 64, vocabulary: 300 }, maxLength: 24, answers: 2 },
  ...{ threads: 1, lr: { query: 2e-3, generator: 5e-3, passage: 2e-3 }, dropout: 0.1, temperature: 0.1 },
})
