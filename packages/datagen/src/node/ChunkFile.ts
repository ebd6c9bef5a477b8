import { closeSync, openSync, readSync, rmSync, writeSync } from "node:fs"
import { join } from "node:path"
import type { Chunk } from "@tandem/documents"
import { Effect, type Scope } from "effect"
import { type ChunkList, chunkList, growingNumbers } from "../ChunkList.ts"
import { OutputFolderFailed } from "../Errors.ts"

/** Chunks that lie on the disk. */
export interface ChunkFile {
  readonly add: (chunk: Chunk) => Effect.Effect<void, OutputFolderFailed>
  readonly chunks: ChunkList
}

/** Bytes that are gathered before they are written. */
const gathered = 65_536

/**
 * A list of chunks on the disk, as long as the scope lives: 8 bytes of memory a chunk, however long it is. The file has no name
 * as soon as it is open, where the system allows that, so that nothing is left of it however the process ends.
 */
export const openChunkFile = Effect.fnUntraced(function* (
  folder: string,
): Effect.fn.Return<ChunkFile, OutputFolderFailed, Scope.Scope> {
  const file = join(folder, `.chunks-${process.pid}-${opened++}`)
  const descriptor = yield* Effect.acquireRelease(
    onDisk(file, () => openSync(file, "w+")),
    (one) =>
      Effect.sync(() => {
        closeSync(one)
        rmSync(file, { force: true })
      }),
  )
  yield* Effect.ignore(onDisk(file, () => rmSync(file)))
  /** Where each chunk ends. */
  const ends = growingNumbers()
  let [waiting, size, written]: [Buffer[], number, number] = [[], 0, 0]
  const drain = () => {
    const bytes = Buffer.concat(waiting)
    for (let done = 0; done < bytes.length; )
      done += writeSync(descriptor, bytes, done, bytes.length - done, written + done)
    written += size
    waiting = []
    size = 0
  }
  const at = (place: number): Chunk | undefined => {
    const end = ends.at(place)
    if (end === undefined) return undefined
    const start = ends.at(place - 1) ?? 0
    if (end > written) drain()
    const bytes = Buffer.allocUnsafe(end - start)
    for (let done = 0; done < bytes.length; ) {
      const read = readSync(descriptor, bytes, done, bytes.length - done, start + done)
      if (read === 0) throw new Error(`${file} was cut off`)
      done += read
    }
    return JSON.parse(bytes.toString("utf8"))
  }
  return {
    add: (chunk) =>
      onDisk(file, () => {
        const bytes = Buffer.from(JSON.stringify(chunk))
        waiting.push(bytes)
        size += bytes.length
        ends.push(written + size)
        if (size >= gathered) drain()
      }),
    chunks: chunkList(ends, at),
  }
})

/** Files of this process. */
let opened = 0

const onDisk = <A>(file: string, run: () => A): Effect.Effect<A, OutputFolderFailed> =>
  Effect.try({
    try: run,
    catch: (cause) =>
      new OutputFolderFailed({
        message: "the chunks of the documents cannot be kept on the disk",
        file,
        field: "path.output_dir",
        found: cause instanceof Error ? cause.message : String(cause),
      }),
  })
