import { createHash, type Hash } from "node:crypto"
import { type FileHandle, open } from "node:fs/promises"
import { join } from "node:path"
import type { Passage } from "@tandem/datasets"
import { type FileEntry, StoredPassage } from "../Manifest.ts"
import { corrupt, decodeJson, isCode, unreadable } from "../StoreFailure.ts"

export const chunkBytes = 4 * 1024 * 1024

const readInto = async (handle: FileHandle, target: Uint8Array): Promise<number> => {
  let filled = 0
  while (filled < target.length) {
    const { bytesRead } = await handle.read(target, filled, Math.min(chunkBytes, target.length - filled))
    if (bytesRead === 0) break
    filled += bytesRead
  }
  return filled
}

async function* chunksOf(handle: FileHandle): AsyncGenerator<Uint8Array> {
  for (;;) {
    const chunk = new Uint8Array(chunkBytes)
    const filled = await readInto(handle, chunk)
    if (filled > 0) yield chunk.subarray(0, filled)
    if (filled < chunk.length) return
  }
}

/** Size and SHA-256 of a file. */
export const hashFile = async (path: string): Promise<{ readonly bytes: number; readonly sha256: string }> => {
  const handle = await open(path, "r")
  try {
    const hash = createHash("sha256")
    let bytes = 0
    for await (const chunk of chunksOf(handle)) {
      hash.update(chunk)
      bytes += chunk.length
    }
    return { bytes, sha256: hash.digest("hex") }
  } finally {
    await handle.close()
  }
}

/** Opens a file of the store, checks its size before anything is read, and its SHA-256 after. */
const reading = async <A>(
  folder: string,
  entry: FileEntry,
  read: (handle: FileHandle, hash: Hash, path: string) => Promise<A>,
): Promise<A> => {
  const path = join(folder, entry.file)
  const handle = await open(path, "r").catch((cause: unknown) => {
    throw isCode(cause, "ENOENT")
      ? corrupt(path, "the manifest names it, and it is missing", `${entry.bytes} bytes`, "no file")
      : unreadable(path, cause)
  })
  try {
    const { size } = await handle.stat()
    if (size !== entry.bytes)
      throw corrupt(path, "its size is not the one that was written", `${entry.bytes} bytes`, `${size} bytes`)
    const hash = createHash("sha256")
    const result = await read(handle, hash, path)
    const sha256 = hash.digest("hex")
    if (sha256 !== entry.sha256)
      throw corrupt(path, "its content is not what was written", `SHA-256 ${entry.sha256}`, `SHA-256 ${sha256}`)
    return result
  } finally {
    await handle.close()
  }
}

/** Checks a file and returns its path. */
export const verifyFile = (folder: string, entry: FileEntry): Promise<string> =>
  reading(folder, entry, async (handle, hash, path) => {
    for await (const chunk of chunksOf(handle)) hash.update(chunk)
    return path
  })

export const readVectors = (folder: string, entry: FileEntry): Promise<Float32Array> =>
  reading(folder, entry, async (handle, hash) => {
    const vectors = new Float32Array(entry.bytes / 4)
    const bytes = new Uint8Array(vectors.buffer)
    await readInto(handle, bytes)
    for (let start = 0; start < bytes.length; start += chunkBytes)
      hash.update(bytes.subarray(start, start + chunkBytes))
    return vectors
  })

// Lines are decoded after the whole file is known to be intact, so that a damaged file is reported as one.
export const readPassages = async (folder: string, entry: FileEntry): Promise<readonly Passage[]> => {
  const path = join(folder, entry.file)
  const lines = await reading(folder, entry, async (handle, hash) => {
    const decoder = new TextDecoder()
    const lines: string[] = []
    let rest = ""
    for await (const chunk of chunksOf(handle)) {
      hash.update(chunk)
      const parts = (rest + decoder.decode(chunk, { stream: true })).split("\n")
      rest = parts.pop() ?? ""
      for (const part of parts) lines.push(part)
    }
    return rest === "" ? lines : [...lines, rest]
  })
  return lines.map((line, index) => decodeJson(StoredPassage, line, path, index + 1))
}
