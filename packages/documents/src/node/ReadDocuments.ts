import { constants } from "node:fs"
import { open } from "node:fs/promises"
import { Effect, Stream } from "effect"
import { type Document, makeDocument } from "../Document.ts"
import { DocumentProblem } from "../DocumentProblem.ts"
import type { NoDocumentsError } from "../Errors.ts"
import { jsonLinesOf } from "../internal/node/Lines.ts"
import { type Format, formatOf, packagesOfFormats, readers } from "../readers/Formats.ts"
import { readJsonLine } from "../readers/JsonLine.ts"
import { type Extracted, Unreadable } from "../readers/Reader.ts"
import { type DocumentFile, listDocuments } from "./FolderFiles.ts"

export interface ReadDocumentsOptions {
  /** Largest file, and largest line of JSON Lines, in bytes. Default 64 MiB. */
  readonly maxBytes?: number
  /** Most bytes that what is packed in a file may have unpacked. Default 256 MiB. */
  readonly maxUnpackedBytes?: number
}

/**
 * The documents of a folder, one after the other in the order of their files' names, and a problem for each file, or line
 * of JSON Lines, that is none: what cannot be read is skipped and stops nothing. One document is held at a time.
 *
 * Which files are read {@link listDocuments} tells. Ends in `NoDocumentsError` where the folder cannot be listed; one
 * without documents is an empty stream.
 *
 * @example
 * ```ts
 * import { mkdir, writeFile } from "node:fs/promises"
 * import { isProblem } from "@tandem/documents"
 * import { readDocuments } from "@tandem/documents/node/ReadDocuments"
 * import { Effect, Stream } from "effect"
 *
 * await mkdir("notes", { recursive: true })
 * await writeFile("notes/rivers.txt", "Rivers carry snow to the sea.\n\nIslands wait for ships.")
 * const read = readDocuments("notes").pipe(
 *   Stream.runForEach((item) =>
 *     Effect.sync(() => console.log(item.source, isProblem(item) ? item.message : item.text.length)),
 *   ),
 * )
 * await Effect.runPromise(read)
 * ```
 */
export const readDocuments = (
  folder: string,
  options: ReadDocumentsOptions = {},
): Stream.Stream<Document | DocumentProblem, NoDocumentsError> =>
  Stream.unwrap(
    Effect.map(listDocuments(folder), ({ files, problems }) =>
      Stream.concat(
        Stream.fromIterable(problems),
        Stream.flatMap(Stream.fromIterable(files), (file) => readDocumentFile(file, options)),
      ),
    ),
  )

/** The document of a file, those of a file of JSON Lines, or what is wrong with it. */
export const readDocumentFile = (
  file: DocumentFile,
  options: ReadDocumentsOptions = {},
): Stream.Stream<Document | DocumentProblem> =>
  Stream.fromAsyncIterable(documentsOf(file, options), (cause) => cause).pipe(Stream.orDie)

const mebibyte = 2 ** 20

async function* documentsOf(
  file: DocumentFile,
  { maxBytes = 64 * mebibyte, maxUnpackedBytes = 256 * mebibyte }: ReadDocumentsOptions,
): AsyncGenerator<Document | DocumentProblem> {
  const { source, path } = file
  const format = formatOf(path)
  if (format === undefined) return
  try {
    if (format === "jsonl") yield* documentsOfLines(file, maxBytes)
    else {
      const bytes = await readBytes(path, maxBytes)
      yield documentOf(source, await extract(format, bytes, maxUnpackedBytes))
    }
  } catch (cause) {
    yield problemOf(source, cause)
  }
}

const extract = async (
  format: Exclude<Format, "jsonl">,
  bytes: Uint8Array,
  maxUnpackedBytes: number,
): Promise<Extracted> => {
  if (bytes.length === 0) throw new Unreadable("empty", "is empty")
  try {
    const read = await readers[format]()
    return await read(bytes, { maxUnpackedBytes })
  } catch (cause) {
    if (cause instanceof Unreadable) throw cause
    const missing = packagesOfFormats[format]
    if (missing !== undefined && isMissing(cause, missing)) {
      throw new Unreadable("reader-missing", `is read by the package ${missing}`, `npm install ${missing}`)
    }
    throw new Unreadable("damaged", `is damaged: ${cause instanceof Error ? cause.message : String(cause)}`)
  }
}

const isMissing = (cause: unknown, name: string): boolean =>
  cause instanceof Error &&
  "code" in cause &&
  (cause.code === "ERR_MODULE_NOT_FOUND" || cause.code === "MODULE_NOT_FOUND") &&
  cause.message.includes(name)

async function* documentsOfLines(
  { source, path }: DocumentFile,
  maxBytes: number,
): AsyncGenerator<Document | DocumentProblem> {
  let lines = 0
  for await (const { text, line } of jsonLinesOf(path, maxBytes)) {
    lines++
    const place = `${source}#${line}`
    try {
      if (text === undefined) throw new Unreadable("too-large", `is longer than the ${maxBytes} bytes that are allowed`)
      yield documentOf(place, readJsonLine(text))
    } catch (cause) {
      yield problemOf(place, cause, line)
    }
  }
  if (lines === 0) throw new Unreadable("empty", "is empty")
}

/** A document that was read; one without any text is `empty`. */
const documentOf = (source: string, { paragraphs, title }: Extracted): Document => {
  const document = makeDocument(source, paragraphs, title)
  if (document.text === "") throw new Unreadable("empty", "has no text")
  return document
}

const problemOf = (source: string, cause: unknown, line?: number): DocumentProblem => {
  const place = line === undefined ? {} : { line }
  if (cause instanceof Unreadable) {
    const { reason, message, hint } = cause
    return new DocumentProblem({
      source,
      reason,
      message: `${source} ${message}`,
      ...place,
      ...(hint === undefined ? {} : { hint }),
    })
  }
  const found = cause instanceof Error ? cause.message : String(cause)
  return new DocumentProblem({ source, reason: "unreadable", message: `${source} cannot be read: ${found}`, ...place })
}

const readBytes = async (path: string, maxBytes: number): Promise<Uint8Array> => {
  // A file that became a link since the folder was listed is not followed.
  const handle = await open(path, constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0))
  try {
    const { size } = await handle.stat()
    if (size > maxBytes) {
      throw new Unreadable(
        "too-large",
        `has ${size} bytes, of ${maxBytes} that are allowed`,
        "divide it, or raise `maxBytes`",
      )
    }
    return await handle.readFile()
  } finally {
    await handle.close()
  }
}
