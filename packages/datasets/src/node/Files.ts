import { readdir, stat } from "node:fs/promises"
import { basename, dirname, join } from "node:path"
import { Effect, Stream } from "effect"
import { parseBeir } from "../Beir.ts"
import { dprRows } from "../Dpr.ts"
import { parseDprCorpus, parseDprQa } from "../DprTsv.ts"
import { type DatasetError, EmptyFileError, isDatasetError, UnknownFormatError } from "../Errors.ts"
import type { RetrievalData } from "../Example.ts"
import { type Format, formats, misspeltName, recogniseContainer, recogniseFormat } from "../Format.ts"
import { layoutOf, slipAmong } from "../internal/Columns.ts"
import { jsonElements } from "../internal/JsonElements.ts"
import { jsonLines } from "../internal/JsonLines.ts"
import { namedTsvRows } from "../internal/NamedTsv.ts"
import { corpusRows, exampleRows } from "../JsonLines.ts"
import { type Passage, readablePassage } from "../Passage.ts"
import { type AssembleOptions, RetrievalDataBuilder } from "../RetrievalData.ts"
import type { ExampleRow, PassageRow, Source, TableRow } from "../Source.ts"
import { parseSquad, parseSquadPassages } from "../Squad.ts"
import { csvRows } from "./Csv.ts"
import { isParquet, openParquet } from "./Parquet.ts"
import { isSystemError, textChunks, unreadable } from "./TextFile.ts"

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

/** Runs a reader; its own errors become failures, everything else is a defect. */
const attempt = <A>(read: (signal: AbortSignal) => Promise<A>): Effect.Effect<A, DatasetError> =>
  Effect.tryPromise({ try: read, catch: (error) => error }).pipe(
    Effect.catch((error) => (isDatasetError(error) ? Effect.fail(error) : Effect.die(error))),
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

interface Rows {
  readonly examples: AsyncIterable<ExampleRow>
  readonly corpus?: string
}

const examplesOf = async (
  { source, found, rows }: Recognised,
  path: string,
  split: string | undefined,
  signal: AbortSignal,
): Promise<Rows> => {
  switch (found) {
    case "squad":
      // All paragraphs belong to what is searched, also those without a question.
      return { examples: parseSquad(source), corpus: path }
    case "dpr":
      return { examples: dprRows(rows(), source.file) }
    case "dpr-qa":
      return { examples: parseDprQa(source) }
    case "jsonl":
      return { examples: exampleRows(rows(), source.file) }
    case "beir": {
      const folder = (await isFolder(path)) ? path : dirname(dirname(path))
      const queries = await existing(folder, "queries.jsonl")
      const judgements = folder === path ? await judgementsOf(folder, split) : path
      return {
        examples: parseBeir(open(queries, signal), open(judgements, signal)),
        corpus: await existing(folder, "corpus.jsonl"),
      }
    }
    case "corpus":
    case "dpr-corpus":
      throw new UnknownFormatError({
        message: `${path} holds passages and no questions`,
        file: path,
        expected: "examples",
        found: `a corpus (${found})`,
        hint: "name it as the corpus (`corpus`)",
      })
  }
}

async function* passageRows(path: string, signal?: AbortSignal, format?: Format): AsyncGenerator<PassageRow> {
  if (await isFolder(path)) return yield* passageRows(await existing(path, "corpus.jsonl"), signal)
  const { source, found, rows } = await recognise(path, format, signal)
  switch (found) {
    case "corpus":
      return yield* corpusRows(rows(), source.file)
    case "dpr-corpus":
      return yield* parseDprCorpus(source)
    case "squad":
      return yield* parseSquadPassages(source)
    case "dpr":
    case "jsonl": {
      const examples = (found === "jsonl" ? exampleRows : dprRows)(rows(), source.file)
      for await (const { passages, file, line } of examples)
        for (const passage of passages) yield { passage, file, line }
      return
    }
    case "beir":
    case "dpr-qa":
      throw new UnknownFormatError({
        message: `${path} holds no passages`,
        file: path,
        expected: "a corpus",
        found,
      })
  }
}

const open = (file: string, signal?: AbortSignal): Source => ({ file, chunks: textChunks(file, signal) })

/** Reads the start of a source to look at it, and gives it back as if it were unread. */
const peek = async ({ file, chunks }: Source, length: number): Promise<readonly [string, Source]> => {
  const iterator = chunks[Symbol.asyncIterator]()
  let start = ""
  let done = false
  while (!done && start.trimStart().length < length) {
    const next = await iterator.next()
    if (next.done === true) done = true
    else start += next.value
  }
  async function* all() {
    yield start
    if (!done) yield* { [Symbol.asyncIterator]: () => iterator }
  }
  return [start, { file, chunks: all() }]
}

/** What a file was found to be; `rows` are those of formats that come as rows of named fields. */
interface Recognised {
  readonly source: Source
  readonly found: Format
  readonly rows: () => AsyncGenerator<TableRow>
}

const recognise = async (path: string, format: Format | undefined, signal?: AbortSignal): Promise<Recognised> => {
  if (await isFolder(path)) {
    const source = { file: path, chunks: nothing() }
    if (format === undefined || format === "beir") return { source, found: "beir", rows: () => jsonLines(source) }
    throw new UnknownFormatError({
      message: `${path} is a folder; only BEIR data come as one`,
      file: path,
      expected: `a file of format ${format}`,
      found: "a folder",
    })
  }
  if (await isParquet(path)) {
    const { names, rows } = await openParquet(path)
    const layout = format ?? layoutOf(new Set(names))
    if (layout === undefined || !tables.includes(layout))
      throw unknownFormat(path, `columns ${names.join(", ")}`, slipAmong(names))
    return { source: { file: path, chunks: nothing() }, found: layout, rows }
  }
  const [start, source] = await peek(open(path, signal), 65536)
  if (start.trim() === "") throw new EmptyFileError({ message: `${path} is empty`, file: path })
  const found = format ?? recogniseFormat(start)
  if (found === undefined) throw unknownFormat(path, JSON.stringify(start.slice(0, 60)), misspeltName(start))
  return { source, found, rows: () => tableRows(source, start) }
}

/** Formats that come as rows of named fields, whatever holds the rows. */
const tables: readonly Format[] = ["dpr", "jsonl", "corpus"]

const tableRows = (source: Source, start: string): AsyncGenerator<TableRow> => {
  switch (recogniseContainer(start)) {
    case "json-lines":
      return jsonLines(source)
    case "json-array":
      return jsonElements(source)
    case "csv":
      return csvRows(source)
    case "semicolons":
      return csvRows(source, ";")
    case "tsv":
      return namedTsvRows(source)
  }
}

const unknownFormat = (path: string, found: string, slip: string | undefined): UnknownFormatError =>
  new UnknownFormatError({
    message: `${path} is in no format that can be read`,
    file: path,
    expected: formats.join(", "),
    found,
    hint:
      slip === undefined
        ? "if it is one of these, say which (`format`); columns are named as docs/data-layouts.md lists them"
        : `a field may be misspelt: ${slip}`,
  })

async function* nothing(): AsyncGenerator<string> {}

const isFolder = async (path: string): Promise<boolean> => {
  try {
    return (await stat(path)).isDirectory()
  } catch (error) {
    throw isSystemError(error) ? unreadable(path, error) : error
  }
}

/** The file of that name in a folder, plain or packed. */
const existing = async (folder: string, name: string): Promise<string> => {
  const names = await list(folder)
  const found = [name, `${name}.gz`].find((candidate) => names.includes(candidate))
  if (found !== undefined) return join(folder, found)
  throw new UnknownFormatError({
    message: `the folder ${folder} has no ${name}`,
    file: folder,
    expected: name,
    found: names.slice(0, 8).join(", ") || "nothing",
  })
}

const judgementsOf = async (folder: string, split: string | undefined): Promise<string> => {
  const inner = join(folder, "qrels")
  if (split !== undefined) return existing(inner, `${split}.tsv`)
  const names = (await list(inner)).filter((name) => /\.tsv(\.gz)?$/.test(name))
  const train = names.find((name) => name.startsWith("train.tsv"))
  const only = train ?? (names.length === 1 ? names[0] : undefined)
  if (only !== undefined) return join(inner, only)
  throw new UnknownFormatError({
    message: `${inner} does not say which judgements to use`,
    file: inner,
    expected: "train.tsv, or a single file",
    found: names.join(", ") || "nothing",
    hint: `name one of the files instead of the folder ${basename(folder)}`,
  })
}

const list = async (folder: string): Promise<readonly string[]> => {
  try {
    return (await readdir(folder)).sort()
  } catch (error) {
    throw isSystemError(error) ? unreadable(folder, error) : error
  }
}
