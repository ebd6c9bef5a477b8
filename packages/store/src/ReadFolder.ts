import type { Passage } from "@tandem/datasets"
import { fileName, type ReadFiles } from "@tandem/files"
import { Effect } from "effect"
import { type FileEntry, Manifest, StoredPassage } from "./internal/Manifest.ts"
import { corrupt, decodeJson, unreadable } from "./internal/StoreFailure.ts"
import type { StoreMetadata } from "./KnowledgeStore.ts"
import type { LoadedContents, StoreFolder } from "./StoreContents.ts"
import { CorruptStoreError, StoreAccessError } from "./StoreError.ts"

const manifestName = "manifest.json"

/** Bytes of a file that are asked for at once, and how many such parts are under way. */
const part = 8 * 1024 * 1024
const atOnce = 4

/**
 * A stored folder that is only read, wherever it lies: what `nodeFolder` of `@tandem/store/node/StoreFolder` wrote, behind an
 * address or in memory. Where its place has ranges, a file comes in parts, several at a time; else as a whole. Every size and
 * SHA-256 is checked; a damaged file ends in `CorruptStore`, one that cannot be had in `StoreAccess`. Caches are left out.
 *
 * Needs Web Crypto, which pages have on `https:` and `localhost` only.
 */
export const readFolder = (files: ReadFiles): StoreFolder => ({
  location: files.location,
  save: () =>
    Effect.fail(
      new StoreAccessError({
        message: `${files.location} is read only`,
        file: files.location,
        hint: "write the store to a folder of the disk",
      }),
    ),
  load: Effect.tryPromise({
    try: () => load(files),
    catch: (cause) => asStoreError(cause, files),
  }),
})

/** What a stored folder says that it holds, of which nothing else is read. */
export const readMetadata = (files: ReadFiles): Effect.Effect<StoreMetadata, CorruptStoreError | StoreAccessError> =>
  Effect.tryPromise({
    try: async () => {
      const { dimension, similarity, fingerprint, count } = await readManifest(files)
      return { dimension, similarity, fingerprint, count }
    },
    catch: (cause) => asStoreError(cause, files),
  })

const asStoreError = (cause: unknown, files: ReadFiles): CorruptStoreError | StoreAccessError =>
  cause instanceof CorruptStoreError || cause instanceof StoreAccessError ? cause : unreadable(files.location, cause)

const readManifest = async (files: ReadFiles): Promise<Manifest> => {
  const manifestPath = fileName(files, manifestName)
  const text = await files.read(manifestName)
  if (text === undefined) throw unreadable(manifestPath, "there is no such file", "a store holds a manifest.json")
  return decodeJson(Manifest, new TextDecoder().decode(text), manifestPath)
}

const load = async (files: ReadFiles): Promise<LoadedContents> => {
  const manifestPath = fileName(files, manifestName)
  const manifest = await readManifest(files)
  const { dimension, similarity, fingerprint, count } = manifest
  if (manifest.vectors.bytes !== count * dimension * 4) {
    throw corrupt(
      manifestPath,
      "the size of the vectors does not fit their number",
      `${count} × ${dimension} × 4 bytes`,
      `${manifest.vectors.bytes} bytes`,
    )
  }
  const vectors = await checked(files, manifest.vectors)
  const passages = passagesOf(await checked(files, manifest.passages), fileName(files, manifest.passages.file))
  if (passages.length !== count) {
    throw corrupt(
      fileName(files, manifest.passages.file),
      "it does not hold the passages that the manifest counts",
      `${count} passages`,
      `${passages.length} passages`,
    )
  }
  return {
    contents: { identity: { dimension, similarity, fingerprint }, passages, vectors: new Float32Array(vectors.buffer) },
    caches: new Map(),
  }
}

/** The bytes of a file, in memory of their own, if they are those that the manifest names. */
const checked = async (
  files: ReadFiles,
  { file, bytes: size, sha256 }: FileEntry,
): Promise<Uint8Array<ArrayBuffer>> => {
  const path = fileName(files, file)
  const bytes = new Uint8Array(size)
  const { readRange } = files
  if (readRange === undefined || size <= part) {
    const whole = await files.read(file)
    if (whole === undefined) throw corrupt(path, "the manifest names it, and it is missing", `${size} bytes`, "no file")
    if (whole.length !== size) throw otherSize(path, size, whole.length)
    bytes.set(whole)
  } else {
    let next = 0
    const parts = async (): Promise<void> => {
      while (next < size) {
        const start = next
        next += part
        const end = Math.min(size, start + part)
        const some = await readRange(file, start, end)
        if (some.length !== end - start) throw otherSize(path, size, start + some.length)
        bytes.set(some, start)
      }
    }
    await Promise.all(Array.from({ length: atOnce }, parts))
  }
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes))
  const found = Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("")
  if (found !== sha256) {
    throw corrupt(path, "its content is not what was written", `SHA-256 ${sha256}`, `SHA-256 ${found}`)
  }
  return bytes
}

const otherSize = (path: string, expected: number, found: number): CorruptStoreError =>
  corrupt(path, "its size is not the one that was written", `${expected} bytes`, `${found} bytes`)

const passagesOf = (bytes: Uint8Array, path: string): readonly Passage[] =>
  new TextDecoder()
    .decode(bytes)
    .split("\n")
    .filter((line, index, all) => line !== "" || index < all.length - 1)
    .map((line, index) => decodeJson(StoredPassage, line, path, index + 1))
