import { createReadStream, existsSync } from "node:fs"
import { open } from "node:fs/promises"
import { join } from "node:path"
import { InvalidJsonError, UnreadableFileError } from "@tandem/datasets"
import { writeWhole } from "@tandem/files/node/WriteWhole"
import { growingNumbers } from "../ChunkList.ts"
import { conversationOf, type LinePlace, type RejectedLine, rejectedOf } from "../ConversationFile.ts"
import { type RowMaker, segmentsLine, trainingRows } from "../format/TrainingRows.ts"
import type { Conversation } from "../Item.ts"

/** The files of a pipeline's conversations, below its output folder. */
export const conversationFiles = ["rag_success_convs.jsonl", "rag_failed_convs.jsonl"] as const

/** The file of its training rows, as Axolotl's `input_output` takes them. */
export const rowsFile = "axolotl_rag_conversations.jsonl"

/** The file of the items that were left out, with reasons. */
export const rejectedFile = "rejected.jsonl"

/** Where a line of a file stands, in bytes. */
interface Line extends LinePlace {
  readonly start: number
  readonly length: number
}

/**
 * The conversations of an output folder in the order of their items' keys, which mixes documents, successes and failures,
 * whatever order they were finished in. A few are in memory at a time, and the keys of all. A file that is not there counts as empty.
 *
 * Throws `InvalidJsonError` and `InvalidRowError` for a line that is no conversation, `UnreadableFileError` where neither
 * file is there.
 */
export async function* readConversations(folder: string): AsyncGenerator<Conversation> {
  const files = conversationFiles.map((name) => join(folder, name)).filter((file) => existsSync(file))
  if (files.length === 0) {
    throw new UnreadableFileError({
      message: `${folder} holds no conversations`,
      file: folder,
      expected: conversationFiles.join(" or "),
      found: "neither",
    })
  }
  const [keys, places]: [string[], Lines] = [[], linesIn(files)]
  for (const [index, file] of files.entries())
    for await (const { value, place } of linesOf(file)) {
      keys.push(conversationOf(value, place).item.key)
      places.add(index, place)
    }
  const order = Uint32Array.from(keys.keys())
  order.sort((a, b) => (keys[a]! < keys[b]! ? -1 : keys[a]! > keys[b]! ? 1 : a - b))
  const handles = new Map(await Promise.all(files.map(async (file) => [file, await open(file)] as const)))
  const read = async (index: number): Promise<Conversation> => {
    const place = places.at(index)
    const { buffer } = await handles.get(place.file)!.read(new Uint8Array(place.length), 0, place.length, place.start)
    return conversationOf(parsed(buffer, place), place)
  }
  try {
    for (let start = 0; start < order.length; start += readTogether)
      yield* await Promise.all([...order.subarray(start, start + readTogether)].map(read))
  } finally {
    for (const handle of handles.values()) await handle.close()
  }
}

/** Conversations that are read at once. */
const readTogether = 32

/** Where lines stand, in a few bytes each. */
interface Lines {
  readonly add: (file: number, line: Line) => void
  readonly at: (index: number) => Line
}

const linesIn = (files: readonly string[]): Lines => {
  const columns = { file: growingNumbers(), line: growingNumbers(), start: growingNumbers(), length: growingNumbers() }
  return {
    add: (file, { line, start, length }) => {
      columns.file.push(file)
      columns.line.push(line)
      columns.start.push(start)
      columns.length.push(length)
    },
    at: (index) => ({
      file: files[columns.file.at(index) ?? 0] ?? "",
      line: columns.line.at(index) ?? 0,
      start: columns.start.at(index) ?? 0,
      length: columns.length.at(index) ?? 0,
    }),
  }
}

/** The items of an output folder that were left out, in the order in which they were; none where there is no such file. */
export async function* readRejected(folder: string): AsyncGenerator<RejectedLine> {
  const file = join(folder, rejectedFile)
  if (!existsSync(file)) return
  for await (const { value, place } of linesOf(file)) yield rejectedOf(value, place)
}

/** Writes the training rows of an output folder's conversations into it, whole or not at all; how many there are. */
export const writeTrainingRows = async (folder: string, maker: RowMaker): Promise<number> => {
  let count = 0
  await writeWhole(
    join(folder, rowsFile),
    (async function* () {
      let lines = ""
      for await (const row of trainingRows(readConversations(folder), maker)) {
        count += 1
        lines += segmentsLine(row)
        if (lines.length < gathered) continue
        yield lines
        lines = ""
      }
      yield lines
    })(),
  )
  return count
}

/** Rows are gathered up to this many characters before they are written. */
const gathered = 65_536

/** Lines longer than this are no conversations. */
const longest = 2 ** 26

async function* linesOf(file: string): AsyncGenerator<{ readonly value: unknown; readonly place: Line }> {
  let [rest, start, line] = [Buffer.alloc(0), 0, 0]
  const take = (bytes: Buffer) => {
    line += 1
    const place = { file, line, start, length: bytes.length }
    start += bytes.length + 1
    return bytes.toString("utf8").trim() === "" ? [] : [{ value: parsed(bytes, place), place }]
  }
  for await (const piece of createReadStream(file)) {
    let bytes = Buffer.concat([rest, Buffer.from(piece)])
    for (let end = bytes.indexOf(10); end >= 0; end = bytes.indexOf(10)) {
      yield* take(bytes.subarray(0, end))
      bytes = bytes.subarray(end + 1)
    }
    if (bytes.length > longest) throw tooLong({ file, line: line + 1 })
    rest = bytes
  }
  if (rest.length > 0) yield* take(rest)
}

const parsed = (bytes: Uint8Array, { file, line }: LinePlace): unknown => {
  try {
    return JSON.parse(new TextDecoder().decode(bytes))
  } catch (cause) {
    const found = cause instanceof Error ? cause.message : String(cause)
    throw new InvalidJsonError({ message: `${file}:${line} is no JSON: ${found}`, file, line, expected: "JSON", found })
  }
}

const tooLong = ({ file, line }: LinePlace): InvalidJsonError =>
  new InvalidJsonError({
    message: `${file}:${line} is longer than any conversation`,
    ...{ file, line, expected: `at most ${longest} bytes`, found: "more" },
  })
