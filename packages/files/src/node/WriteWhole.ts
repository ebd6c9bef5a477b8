import { mkdir, rename, rm } from "node:fs/promises"
import { dirname, resolve } from "node:path"
import { besides, sweep } from "../internal/node/Aside.ts"
import { type Content, flushFolder, writeFlushed } from "./Flush.ts"

/**
 * Writes a file aside, brings it to the disk and renames it into place, so that it is never seen half-written. Folders
 * are made. Where anything fails the old content stays and nothing is left aside; what processes that were killed have
 * left goes with the next success. Throws the system's error.
 *
 * @example
 * ```ts
 * import { writeWhole } from "@tandem/files/node/WriteWhole"
 *
 * await writeWhole("report.json", JSON.stringify({ format: 1 }))
 * ```
 */
export const writeWhole = async (file: string, content: Content): Promise<void> => {
  const target = resolve(file)
  const aside = besides(target, "part")
  await mkdir(dirname(target), { recursive: true })
  try {
    await writeFlushed(aside, content)
    await rename(aside, target)
  } catch (cause) {
    await rm(aside, { force: true }).catch(() => undefined)
    throw cause
  }
  await flushFolder(dirname(target))
  await sweep(target)
}
