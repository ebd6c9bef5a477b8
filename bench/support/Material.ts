// Models and data that lie outside the repository.
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { readExamples } from "@tandem/datasets/node/Files"
import { Effect } from "effect"
import { findFolder } from "../../scripts/support/Folders.ts"
import { withFolder } from "./Folder.ts"

/** Something that a benchmark cannot run without is not there; the others can run. */
export class MissingMaterial extends Error {}

/** The path of something in the folder that an environment variable names. */
export const needs = (variable: string, holds: string): string => {
  const folder = findFolder(variable, holds)
  if (folder === undefined) throw new MissingMaterial(`set ${variable} to the folder that holds ${holds}`)
  return join(folder, holds)
}

/** Uses a temporary folder, and in it a file of JSON lines: the first distinct paragraphs of SQuAD's training articles. */
export const withSquadParagraphs = async <A>(
  count: number,
  use: (files: { readonly folder: string; readonly texts: string }) => Promise<A>,
): Promise<A> => {
  const paragraphs = await squadParagraphs(count)
  return withFolder((folder) => {
    const texts = join(folder, "texts.jsonl")
    writeFileSync(texts, paragraphs.map((text) => `${JSON.stringify(text)}\n`).join(""))
    return use({ folder, texts })
  })
}

/** The first distinct paragraphs of SQuAD's training articles. */
export const squadParagraphs = async (count: number): Promise<readonly string[]> => {
  const { corpus } = await Effect.runPromise(readExamples([needs("TANDEM_DATA", "squad/train.json")], {}))
  if (corpus.size < count) throw new Error(`there are ${corpus.size} paragraphs, and ${count} are needed`)
  return [...corpus.values()].slice(0, count).map(({ text }) => text)
}
