import { Effect, Stream } from "effect"
import { type DatasetError, isDatasetError } from "../Errors.ts"
import type { RetrievalData } from "../Example.ts"
import type { Format } from "../Format.ts"
import { attempt } from "../internal/node/Attempt.ts"
import { recognise } from "../internal/node/Recognise.ts"
import { examplesOf, passageRows } from "../internal/node/Rows.ts"
import { type Passage, readablePassage } from "../Passage.ts"
import { type AssembleOptions, RetrievalDataBuilder } from "../RetrievalData.ts"

export type ReadOptions = AssembleOptions & {
  /** Corpus files or folders, or passages that are already in memory, that the examples' ids speak of. */
  readonly corpus?: string | readonly string[] | ReadonlyMap<string, Passage>
  /** The format of the examples, where recognising it by content is not wanted. */
  readonly format?: Format
  /** Which judgements of a BEIR folder: `qrels/SPLIT.tsv`. Default: train, or the only one there is. */
  readonly split?: string
}

/**
 * Reads examples from files of any supported format, together with the passages that they speak of. Files ending in
 * gzip data are unpacked. A BEIR folder, or one of its `qrels/*.tsv`, brings its own corpus; other formats bring the
 * passages that stand in them.
 *
 * @example
 * ```ts
 * import { makeWorld } from "@tandem/datasets"
 * import { readExamples } from "@tandem/datasets/node/Files"
 * import { writeWorld } from "@tandem/datasets/node/WorldFiles"
 * import { Effect } from "effect"
 *
 * const files = await Effect.runPromise(writeWorld("world", makeWorld({ seed: 1 })))
 * const data = await Effect.runPromise(readExamples(files.train, { corpus: files.corpus }))
 * console.log(data.examples.length, data.statistics)
 * ```
 */
export const readExamples = Effect.fn("datasets.readExamples")(function* (
  files: string | readonly string[],
  options: ReadOptions = {},
): Effect.fn.Return<RetrievalData, DatasetError> {
  return yield* attempt(async (signal) => {
    const builder = new RetrievalDataBuilder(options)
    const { corpus } = options
    if (typeof corpus === "string" || Array.isArray(corpus)) {
      for (const file of [corpus].flat()) {
        for await (const row of passageRows(file, signal)) builder.addPassage(row)
      }
    } else if (corpus instanceof Map) {
      for (const passage of corpus.values()) builder.addPassage({ passage, file: "the corpus", line: 0 })
    }
    for (const file of [files].flat()) await addExamples(builder, file, options, signal)
    return builder.finish()
  })
})

/** Reads a corpus into memory: own JSON Lines, DPR's TSV, BEIR's, or the passages of a SQuAD or DPR file. */
export const readCorpus = Effect.fn("datasets.readCorpus")(function* (
  files: string | readonly string[],
  format?: Format,
): Effect.fn.Return<ReadonlyMap<string, Passage>, DatasetError> {
  return yield* attempt(async (signal) => {
    const builder = new RetrievalDataBuilder()
    for (const file of [files].flat()) {
      for await (const row of passageRows(file, signal, format)) builder.addPassage(row)
    }
    return builder.corpus
  })
})

/** The passages of a corpus one after the other, for one that does not fit into memory. Ids are not compared. */
export const streamCorpus = (file: string): Stream.Stream<Passage, DatasetError> =>
  Stream.fromAsyncIterable(passageRows(file), (error) => error).pipe(
    Stream.flatMap(({ passage }) => Stream.fromIterable([readablePassage(passage) ?? []].flat())),
    Stream.catch((error) => (isDatasetError(error) ? Stream.fail(error) : Stream.die(error))),
  )

const addExamples = async (
  builder: RetrievalDataBuilder,
  path: string,
  { format, split }: ReadOptions,
  signal: AbortSignal,
): Promise<void> => {
  const recognised = await recognise(path, format, signal)
  const rows = await examplesOf(recognised, path, split, signal)
  if (rows.corpus !== undefined) {
    for await (const row of passageRows(rows.corpus, signal)) builder.addPassage(row)
  }
  for await (const row of rows.examples) builder.addExample(row)
}
