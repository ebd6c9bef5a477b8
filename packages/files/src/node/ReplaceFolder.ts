import { mkdir, readdir, rename, rm } from "node:fs/promises"
import { dirname, join, resolve } from "node:path"
import { besides, isThere, sweep } from "../internal/node/Aside.ts"
import { flushFile, flushFolder } from "./Flush.ts"

/**
 * Makes a folder aside, which `write` fills, brings all of it to the disk, and puts it in the place of `folder`, which
 * keeps its old content until then. Where anything fails the old content stays and nothing is left aside; what processes
 * that were killed have left goes with the next success. Throws what `write` throws, or the system's error.
 *
 * @example
 * ```ts
 * import { writeFile } from "node:fs/promises"
 * import { join } from "node:path"
 * import { replaceFolder } from "@tandem/files/node/ReplaceFolder"
 *
 * await replaceFolder("model", (aside) => writeFile(join(aside, "config.json"), "{}\n"))
 * ```
 */
export const replaceFolder = async (folder: string, write: (aside: string) => Promise<void>): Promise<void> => {
  const target = resolve(folder)
  const [aside, old] = [besides(target, "part"), besides(target, "old")]
  try {
    await mkdir(aside, { recursive: true })
    await write(aside)
    await flushAll(aside)
    const replaces = await isThere(target)
    if (replaces) await rename(target, old)
    await rename(aside, target).catch(async (cause: unknown) => {
      if (replaces) await rename(old, target)
      throw cause
    })
    await flushFolder(dirname(target))
    await sweep(target)
  } finally {
    await rm(aside, { recursive: true, force: true }).catch(() => undefined)
    if (await isThere(target)) await rm(old, { recursive: true, force: true })
  }
}

/** Brings files and folders to the disk, what lies within a folder before the folder. */
const flushAll = async (folder: string): Promise<void> => {
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name)
    if (entry.isDirectory()) await flushAll(path)
    else if (entry.isFile()) await flushFile(path)
  }
  await flushFolder(folder)
}
