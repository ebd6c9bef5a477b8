import { type FileHandle, open } from "node:fs/promises"

/** What is written to a file: a text, bytes, or pieces of them that are made one after another. */
export type Content = string | Uint8Array | Iterable<string | Uint8Array> | AsyncIterable<string | Uint8Array>

/** Writes a file and brings its content to the disk. Its name is there for good once its folder is flushed, too. */
export const writeFlushed = async (file: string, content: Content): Promise<void> => {
  const handle = await open(file, "w")
  try {
    await handle.writeFile(content)
    await handle.sync()
  } finally {
    await handle.close()
  }
}

/** Brings the content of a file that somebody else wrote to the disk. */
export const flushFile = async (file: string): Promise<void> => {
  // Windows flushes what is open for writing alone; elsewhere a file that cannot be written to is flushed as well.
  const handle = await open(file, "r+").catch((cause: unknown) => {
    if (hasCode(cause, ["EACCES", "EPERM"])) return open(file, "r")
    throw cause
  })
  await syncAndClose(handle)
}

/** Brings a folder's names and renames to the disk. */
export const flushFolder = async (folder: string): Promise<void> => {
  try {
    await syncAndClose(await open(folder, "r"))
  } catch (cause) {
    // Windows has no such call and does not need it.
    if (!hasCode(cause, ["EPERM", "EISDIR", "EACCES", "EINVAL", "EBADF"])) throw cause
  }
}

const syncAndClose = (handle: FileHandle): Promise<void> => handle.sync().finally(() => handle.close())

const hasCode = (cause: unknown, codes: readonly string[]): boolean =>
  cause instanceof Error && "code" in cause && codes.some((code) => cause.code === code)
