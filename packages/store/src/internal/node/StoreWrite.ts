import { createHash } from "node:crypto"
import { join } from "node:path"
import type { Passage } from "@tandem/datasets"
import { flushFile, writeFlushed } from "@tandem/files/node/Flush"
import type { FileEntry } from "../Manifest.ts"
import { unwritable } from "../StoreFailure.ts"
import { chunkBytes, hashFile } from "./StoreRead.ts"

const writeChunks = async (folder: string, file: string, chunks: Iterable<Uint8Array>): Promise<FileEntry> => {
  const path = join(folder, file)
  const hash = createHash("sha256")
  let bytes = 0
  const counted = function* () {
    for (const chunk of chunks) {
      hash.update(chunk)
      bytes += chunk.length
      yield chunk
    }
  }
  await writeFlushed(path, counted()).catch((cause: unknown) => {
    throw unwritable(path, cause)
  })
  return { file, bytes, sha256: hash.digest("hex") }
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
    await flushFile(path)
    return { file, ...(await hashFile(path)) }
  } catch (cause) {
    throw unwritable(path, cause)
  }
}
