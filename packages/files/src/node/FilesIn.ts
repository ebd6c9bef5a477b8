import { open, readdir, stat } from "node:fs/promises"
import { join } from "node:path"
import type { ReadFiles } from "../ReadFiles.ts"

/** Operating systems read at most 2 GiB at once. */
const largestRead = 2 ** 30

/** The files of a folder on this machine. */
export const filesIn = (folder: string): ReadFiles => ({
  location: folder,
  read: (path) => whereThere(() => readBytes(join(folder, path))),
  stat: (path) =>
    whereThere(async () => {
      const found = await stat(join(folder, path))
      return found.isFile() ? { size: found.size } : {}
    }),
  readRange: (path, start, end) => readBytes(join(folder, path), start, end),
  list: async (inner) => {
    const entries = await whereThere(() => readdir(join(folder, inner), { withFileTypes: true }))
    return (entries ?? []).map((entry) => (entry.isDirectory() ? `${entry.name}/` : entry.name)).sort()
  },
})

/** The bytes of a regular file from `start` to `end`, or to where it ends. */
export const readBytes = async (file: string, start = 0, end = Number.POSITIVE_INFINITY): Promise<Uint8Array> => {
  if (!(await stat(file)).isFile()) throw new Error("it is no regular file")
  const handle = await open(file, "r")
  try {
    const { size } = await handle.stat()
    const bytes = new Uint8Array(Math.max(0, Math.min(size, end) - start))
    for (let done = 0; done < bytes.length; ) {
      const part = bytes.subarray(done, done + largestRead)
      const { bytesRead } = await handle.read(part, 0, part.length, start + done)
      if (bytesRead === 0) return bytes.subarray(0, done)
      done += bytesRead
    }
    return bytes
  } finally {
    await handle.close()
  }
}

/** Undefined where there is no such file. */
const whereThere = async <A>(read: () => Promise<A>): Promise<A | undefined> => {
  try {
    return await read()
  } catch (cause) {
    if (cause instanceof Error && "code" in cause && (cause.code === "ENOENT" || cause.code === "ENOTDIR"))
      return undefined
    throw cause
  }
}
