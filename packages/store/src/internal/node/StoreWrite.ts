import { createHash } from "node:crypto"
import { type FileHandle, open } from "node:fs/promises"
import { join } from "node:path"
import type { Passage } from "@tandem/datasets"
import type { FileEntry } from "../Manifest.ts"
import { isCode, unwritable } from "./StoreFailure.ts"
import { chunkBytes, hashFile } from "./StoreRead.ts"

const writeAll = async (handle: FileHandle, bytes: Uint8Array): Promise<void> => {
  let offset = 0
  while (offset < bytes.length) offset += (await handle.write(bytes, offset, bytes.length - offset)).bytesWritten
}

const writeChunks = async (folder: string, file: string, chunks: Iterable<Uint8Array>): Promise<FileEntry> => {
  const path = join(folder, file)
  try {
    const handle = await open(path, "wx")
    try {
      const hash = createHash("sha256")
      let bytes = 0
      for (const chunk of chunks) {
        hash.update(chunk)
        await writeAll(handle, chunk)
        bytes += chunk.length
      }
      await handle.sync()
      return { file, bytes, sha256: hash.digest("hex") }
    } finally {
      await handle.close()
    }
  } catch (cause) {
    throw unwritable(path, cause)
  }
}

function* chunksOf(bytes: Uint8Array): Generator<Uint8Array> {
  for (let start = 0; start < bytes.length; start += chunkBytes) yield bytes.subarray(start, start + chunkBytes)
}

function* passageLines(passages: readonly Passage[]): Generator<Uint8Array> {
  const encoder = new TextEncoder()
  let lines = ""
  for (const passage of passages) {
    lines += `${JSON.stringify(passage)}\n`
    if (lines.length < chunkBytes) continue
    yield encoder.encode(lines)
    lines = ""
  }
  if (lines !== "") yield encoder.encode(lines)
}

// Typed arrays have the machine's byte order; every platform that these runtimes support is little-endian.
export const writeVectors = (folder: string, file: string, vectors: Float32Array): Promise<FileEntry> =>
  writeChunks(folder, file, chunksOf(new Uint8Array(vectors.buffer, vectors.byteOffset, vectors.byteLength)))

export const writePassages = (folder: string, file: string, passages: readonly Passage[]): Promise<FileEntry> =>
  writeChunks(folder, file, passageLines(passages))

/** Brings a file that a library wrote to disk, and describes it. */
export const adoptFile = async (folder: string, file: string): Promise<FileEntry> => {
  const path = join(folder, file)
  try {
    const handle = await open(path, "r+")
    try {
      await handle.sync()
    } finally {
      await handle.close()
    }
    return { file, ...(await hashFile(path)) }
  } catch (cause) {
    throw unwritable(path, cause)
  }
}

export const writeFileWhole = async (path: string, text: string): Promise<void> => {
  const handle = await open(path, "wx")
  try {
    await writeAll(handle, new TextEncoder().encode(text))
    await handle.sync()
  } finally {
    await handle.close()
  }
}

/** Brings names and renames of a folder to disk. */
export const syncFolder = async (folder: string): Promise<void> => {
  try {
    const handle = await open(folder, "r")
    try {
      await handle.sync()
    } finally {
      await handle.close()
    }
  } catch (cause) {
    // Windows has no such call and does not need it.
    if (!["EPERM", "EISDIR", "EACCES", "EINVAL", "EBADF"].some((code) => isCode(cause, code))) throw cause
  }
}
