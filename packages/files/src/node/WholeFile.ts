import { mkdir, open, rename, rm } from "node:fs/promises"
import { dirname, resolve } from "node:path"
import { besides, sweep } from "../internal/node/Aside.ts"
import { flushFolder } from "./Flush.ts"

/** A file that is written piece by piece and seen when it is whole. */
export interface WholeFile {
  /** Adds a text; one at a time. */
  readonly write: (text: string) => Promise<void>
  /** Brings the file to the disk and renames it into place. */
  readonly commit: () => Promise<void>
  /** Takes away what was written aside; nothing after `commit`. */
  readonly abandon: () => Promise<void>
}

/** Pieces are gathered up to this many characters. */
const gathered = 65_536

/**
 * Opens a file that is written aside and renamed into place by `commit`, as `writeWhole` does for content that is there at
 * once. Folders are made. Throws the system's error.
 *
 * @example
 * ```ts
 * import { openWhole } from "@tandem/files/node/WholeFile"
 *
 * const file = await openWhole("rows.jsonl")
 * for (const row of [1, 2, 3]) await file.write(`${row}\n`)
 * await file.commit()
 * ```
 */
export const openWhole = async (file: string): Promise<WholeFile> => {
  const target = resolve(file)
  const aside = besides(target, "part")
  await mkdir(dirname(target), { recursive: true })
  const handle = await open(aside, "w")
  let pieces: string[] = []
  let size = 0
  let ended = false
  const drain = async () => {
    const text = pieces.join("")
    pieces = []
    size = 0
    if (text !== "") await handle.writeFile(text)
  }
  return {
    write: async (text) => {
      pieces.push(text)
      size += text.length
      if (size >= gathered) await drain()
    },
    commit: async () => {
      await drain()
      await handle.sync()
      await handle.close()
      await rename(aside, target)
      ended = true
      await flushFolder(dirname(target))
      await sweep(target)
    },
    abandon: async () => {
      if (ended) return
      ended = true
      await handle.close().catch(() => undefined)
      await rm(aside, { force: true }).catch(() => undefined)
    },
  }
}
