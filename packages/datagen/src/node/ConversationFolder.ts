import { createReadStream, existsSync } from "node:fs"
import { open } from "node:fs/promises"
import { join } from "node:path"
import { InvalidJsonError, UnreadableFileError } from "@tandem/datasets"
import { writeWhole } from "@tandem/files/node/WriteWhole"
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
 * whatever order they were finished in. One is in memory at a time. A file that is not there counts as empty.
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
  const places: { readonly key: string; readonly place: Line }[] = []
  for (const file of files)
    for await (const { value, place } of linesOf(file))
      places.push({ key: conversationOf(value, place).item.key, place })
  places.sort((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0))
  const handles = new Map(await Promise.all(files.map(async (file) => [file, await open(file)] as const)))
  try {
    for (const { place } of places) {
      const { buffer } = await handles.get(place.file)!.read(new Uint8Array(place.length), 0, place.length, place.start)
      yield conversationOf(parsed(buffer, place), place)
    }
  } finally {
    for (const handle of handles.values()) await handle.close()
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
      for await (const row of trainingRows(readConversations(folder), maker)) {
        count += 1
        yield segmentsLine(row)
      }
    })(),
  )
  return count
}

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
