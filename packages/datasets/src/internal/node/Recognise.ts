import { readdir, stat } from "node:fs/promises"
import { join } from "node:path"
import { EmptyFileError, UnknownFormatError } from "../../Errors.ts"
import {
  type Format,
  formats,
  instructionFormats,
  misspeltName,
  recogniseContainer,
  recogniseFormat,
} from "../../Format.ts"
import { csvRows } from "../../node/Csv.ts"
import { isParquet, openParquet } from "../../node/Parquet.ts"
import { isSystemError, textChunks, unreadable } from "../../node/TextFile.ts"
import type { Source, TableRow } from "../../Source.ts"
import { layoutOf, slipAmong } from "../Columns.ts"
import { jsonElements } from "../JsonElements.ts"
import { jsonLines } from "../JsonLines.ts"
import { namedTsvRows } from "../NamedTsv.ts"

/** A file as a source. */
export const open = (file: string, signal?: AbortSignal): Source => ({ file, chunks: textChunks(file, signal) })

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

/** The start of a file that has content, and the whole of it. */
const opened = async (path: string, signal?: AbortSignal): Promise<readonly [string, Source]> => {
  const [start, source] = await peek(open(path, signal), 65536)
  if (start.trim() === "") throw new EmptyFileError({ message: `${path} is empty`, file: path })
  return [start, source]
}

/** What a file was found to be; `rows` are those of formats that come as rows of named fields. */
export interface Recognised {
  readonly source: Source
  readonly found: Format
  readonly rows: () => AsyncGenerator<TableRow>
}

/** Looks at a file or folder: what it is, or what a person says that it is. */
export const recognise = async (
  path: string,
  format: Format | undefined,
  signal?: AbortSignal,
): Promise<Recognised> => {
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
  const [start, source] = await opened(path, signal)
  const found = format ?? recogniseFormat(start)
  if (found === undefined) throw unknownFormat(path, JSON.stringify(start.slice(0, 60)), misspeltName(start))
  return { source, found, rows: () => tableRows(source, start) }
}

/** Formats that come as rows of named fields, whatever holds the rows. */
const tables: readonly Format[] = ["dpr", "jsonl", "corpus", "chat", "segments"]

/** The rows of a table of any names, of which some are `fields`. */
export const tableOf = async (
  path: string,
  fields: readonly string[],
  signal?: AbortSignal,
): Promise<AsyncIterable<TableRow>> => {
  if (await isParquet(path)) return (await openParquet(path)).rows()
  const [start, source] = await opened(path, signal)
  return tableRows(source, start, fields)
}

const tableRows = (source: Source, start: string, fields?: readonly string[]): AsyncGenerator<TableRow> => {
  switch (recogniseContainer(start, fields)) {
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
    expected: [...formats, ...instructionFormats].join(", "),
    found,
    hint:
      slip === undefined
        ? "if it is one of these, say which (`format`); columns are named as docs/data-layouts.md lists them"
        : `a field may be misspelt: ${slip}`,
  })

async function* nothing(): AsyncGenerator<string> {}

export const isFolder = async (path: string): Promise<boolean> => {
  try {
    return (await stat(path)).isDirectory()
  } catch (error) {
    throw isSystemError(error) ? unreadable(path, error) : error
  }
}

/** The file of that name in a folder, plain or packed. */
export const existing = async (folder: string, name: string): Promise<string> => {
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

/** The names in a folder, in order. */
export const list = async (folder: string): Promise<readonly string[]> => {
  try {
    return (await readdir(folder)).sort()
  } catch (error) {
    throw isSystemError(error) ? unreadable(folder, error) : error
  }
}
