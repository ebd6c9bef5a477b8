import { existsSync, statSync } from "node:fs"
import { join } from "node:path"
import type { Format, Passage } from "@tandem/datasets"
import { readCorpus } from "@tandem/datasets/node/Files"
import { documentPassages, problemWarnings } from "@tandem/documents/node/DocumentPassages"
import { Effect } from "effect"

/** A corpus as readers of examples take it, and what there is to say about it. */
export interface NamedCorpus {
  /** A path that they read themselves, or passages. */
  readonly corpus: string | ReadonlyMap<string, Passage>
  readonly warnings: readonly string[]
}

/** A corpus by its path: a folder of documents is read and divided into passages, anything else is left to its reader. */
export const namedCorpus = Effect.fnUntraced(function* (path: string) {
  if (!isDocumentFolder(path)) return { corpus: path, warnings: [] } satisfies NamedCorpus
  const { passages, problems } = yield* documentPassages(path)
  return { corpus: passages, warnings: problemWarnings(problems) } satisfies NamedCorpus
})

/** The passages of a corpus by its path, of a file or of a folder of documents. */
export const readPassages = Effect.fnUntraced(function* (path: string, format?: Format) {
  const { corpus, warnings } = yield* namedCorpus(path)
  return { corpus: typeof corpus === "string" ? yield* readCorpus(corpus, format) : corpus, warnings }
})

/** Whether a path is a folder of other files than BEIR's. */
const isDocumentFolder = (path: string): boolean =>
  existsSync(path) &&
  statSync(path).isDirectory() &&
  !["corpus.jsonl", "corpus.jsonl.gz"].some((name) => existsSync(join(path, name)))
