import { join } from "node:path"
import { Readable } from "node:stream"
import { pipeline } from "node:stream/promises"
import { createGzip } from "node:zlib"
import { writeWhole } from "@tandem/files/node/WriteWhole"
import { Effect } from "effect"
import { beirCorpus, beirJudgements, beirQueries } from "../Beir.ts"
import { UnwritableFileError } from "../Errors.ts"
import type { RetrievalData } from "../Example.ts"

/**
 * Writes pieces of text to a file, packed where its name ends in `.gz`: first aside in the same folder, then put in
 * place in one step, so that the file is never seen half-written. Folders are made.
 *
 * @example
 * ```ts
 * import { corpusLines } from "@tandem/datasets"
 * import { writeText } from "@tandem/datasets/node/Write"
 * import { Effect } from "effect"
 *
 * const passages = [{ id: "p1", text: "The Wright brothers flew at Kitty Hawk." }]
 * await Effect.runPromise(writeText("corpus.jsonl.gz", corpusLines(passages)))
 * ```
 */
export const writeText = (file: string, pieces: Iterable<string>): Effect.Effect<void, UnwritableFileError> =>
  Effect.tryPromise({
    try: () =>
      file.endsWith(".gz")
        ? pipeline(Readable.from(batches(pieces)), createGzip(), (packed) => writeWhole(file, packed))
        : writeWhole(file, batches(pieces)),
    catch: (error) => {
      const found = error instanceof Error ? error.message : String(error)
      return new UnwritableFileError({ message: `${file} cannot be written: ${found}`, file, found })
    },
  })

/** Writes the data as a BEIR folder: `corpus.jsonl`, `queries.jsonl` and `qrels/SPLIT.tsv`. */
export const writeBeir = (
  folder: string,
  data: Pick<RetrievalData, "examples" | "corpus">,
  split = "train",
): Effect.Effect<void, UnwritableFileError> =>
  Effect.all(
    [
      writeText(join(folder, "corpus.jsonl"), beirCorpus(data.corpus.values())),
      writeText(join(folder, "queries.jsonl"), beirQueries(data.examples)),
      writeText(join(folder, "qrels", `${split}.tsv`), beirJudgements(data)),
    ],
    { discard: true },
  )

/** Joins small pieces, which would be written one by one. */
function* batches(pieces: Iterable<string>): Generator<string> {
  let batch = ""
  for (const piece of pieces) {
    batch += piece
    if (batch.length > 1 << 16) {
      yield batch
      batch = ""
    }
  }
  yield batch
}
