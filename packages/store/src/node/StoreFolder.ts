import { randomBytes } from "node:crypto"
import { mkdir, open, readdir, readFile, rm } from "node:fs/promises"
import { join } from "node:path"
import { flushFolder } from "@tandem/files/node/Flush"
import { isAlive } from "@tandem/files/node/IsAlive"
import { writeWhole } from "@tandem/files/node/WriteWhole"
import { Effect } from "effect"
import { Manifest } from "../internal/Manifest.ts"
import { readPassages, readVectors, verifyFile } from "../internal/node/StoreRead.ts"
import { adoptFile, writePassages, writeVectors } from "../internal/node/StoreWrite.ts"
import { corrupt, decodeJson, unreadable, unwritable } from "../internal/StoreFailure.ts"
import type { IndexCache, LoadedContents, StoreContents, StoreFolder } from "../StoreContents.ts"
import { CorruptStoreError, StoreAccessError } from "../StoreError.ts"

const manifestName = "manifest.json"

/** Data files carry their writer's process id and a random part, so no two writers ever share one. */
const generationOf = (name: string): number | undefined => {
  const match = /-(\d+)-[0-9a-f]{12}\.(?:f32|jsonl|cache)$/.exec(name)
  return match === null ? undefined : Number(match[1])
}

const filesOf = (manifest: Manifest): readonly string[] => [
  manifest.vectors.file,
  manifest.passages.file,
  ...Object.values(manifest.caches).map(({ file }) => file),
]

const readManifest = async (folder: string): Promise<{ readonly text: string; readonly manifest: Manifest }> => {
  const path = join(folder, manifestName)
  const text = await readFile(path, "utf8").catch((cause: unknown) => {
    throw unreadable(path, cause, "a store folder holds a manifest.json: check the path")
  })
  return { text, manifest: decodeJson(Manifest, text, path) }
}

/** The files that the folder's manifest names now; none where there is no readable manifest. */
const currentFiles = async (folder: string): Promise<readonly string[]> => {
  try {
    return filesOf((await readManifest(folder)).manifest)
  } catch (cause) {
    // A new folder, or one that this save repairs.
    if (cause instanceof StoreAccessError || cause instanceof CorruptStoreError) return []
    throw cause
  }
}

/** Removes what the new manifest has replaced, and what writers that were killed have left. */
const sweep = async (folder: string, replaced: readonly string[], kept: readonly string[]): Promise<void> => {
  for (const name of await readdir(folder)) {
    const writer = generationOf(name)
    if (writer === undefined || kept.includes(name)) continue
    if (replaced.includes(name) || !isAlive(writer)) await rm(join(folder, name), { force: true })
  }
}

const save = async (folder: string, contents: StoreContents, caches: readonly IndexCache[]): Promise<void> => {
  const { identity, passages, vectors } = contents
  const generation = `${process.pid}-${randomBytes(6).toString("hex")}`
  await mkdir(folder, { recursive: true })
  const written: string[] = []
  const place = (name: string): string => {
    written.push(join(folder, name))
    return name
  }
  try {
    // Caches first: they are written in one go, at the moment at which the contents were taken.
    const cacheFiles = caches.map((cache) => {
      const file = place(`${cache.name}-${generation}.cache`)
      cache.write(join(folder, file))
      return { name: cache.name, file }
    })
    const vectorsEntry = await writeVectors(folder, place(`vectors-${generation}.f32`), vectors)
    const passagesEntry = await writePassages(folder, place(`passages-${generation}.jsonl`), passages)
    const cacheEntries: [string, Manifest["vectors"]][] = []
    for (const { name, file } of cacheFiles) cacheEntries.push([name, await adoptFile(folder, file)])
    const manifest: Manifest = {
      format: 1,
      dimension: identity.dimension,
      similarity: identity.similarity,
      fingerprint: identity.fingerprint,
      count: passages.length,
      vectors: vectorsEntry,
      passages: passagesEntry,
      caches: Object.fromEntries(cacheEntries),
    }
    // The data files' names must be on disk before the manifest that names them.
    await flushFolder(folder)
    const replaced = await currentFiles(folder)
    await writeWhole(join(folder, manifestName), `${JSON.stringify(manifest, undefined, 2)}\n`)
    await sweep(folder, replaced, filesOf(manifest))
  } catch (cause) {
    const committed = await currentFiles(folder)
    for (const path of written)
      if (!committed.some((name) => join(folder, name) === path)) await rm(path, { force: true })
    throw cause
  }
}

const loadOnce = async (folder: string, manifest: Manifest): Promise<LoadedContents> => {
  const { dimension, similarity, fingerprint, count } = manifest
  const manifestPath = join(folder, manifestName)
  if (manifest.vectors.bytes !== count * dimension * 4)
    throw corrupt(
      manifestPath,
      "the size of the vectors does not fit their number",
      `${count} × ${dimension} × 4 bytes`,
      `${manifest.vectors.bytes} bytes`,
    )
  const caches = new Map<string, string>()
  for (const [name, entry] of Object.entries(manifest.caches)) caches.set(name, await verifyFile(folder, entry))
  const vectors = await readVectors(folder, manifest.vectors)
  const passages = await readPassages(folder, manifest.passages)
  if (passages.length !== count)
    throw corrupt(
      join(folder, manifest.passages.file),
      "it does not hold the passages that the manifest counts",
      `${count} passages`,
      `${passages.length} passages`,
    )
  return { contents: { identity: { dimension, similarity, fingerprint }, passages, vectors }, caches }
}

const load = async (folder: string): Promise<LoadedContents> => {
  for (;;) {
    const { text, manifest } = await readManifest(folder)
    try {
      return await loadOnce(folder, manifest)
    } catch (cause) {
      // A writer may have replaced the store meanwhile and removed the files of the old one: then read the new one.
      if ((await readManifest(folder)).text === text) throw cause
    }
  }
}

const known = (cause: unknown): cause is StoreAccessError | CorruptStoreError =>
  cause instanceof StoreAccessError || cause instanceof CorruptStoreError

/**
 * A store on disk: `manifest.json` (`"format": 1`, identity, count, and name, size and SHA-256 of every other file),
 * the vectors (f32, little-endian, row-major), the passages (one JSON object a line) and the caches of a store's index.
 *
 * `save` writes new files beside the old ones, brings them to disk (fsync), and then renames a new manifest over the
 * old one: that rename is the swap, so a kill at any moment leaves the old store or the new one. Files that no manifest
 * names any more are removed by the next save.
 *
 * `load` checks every size and SHA-256 and fails with `CorruptStoreError` naming the file, what was expected and found.
 */
export const nodeFolder = (path: string): StoreFolder => ({
  location: path,
  save: (contents, caches) =>
    Effect.tryPromise({
      try: () => save(path, contents, caches),
      catch: (cause) => (cause instanceof StoreAccessError ? cause : unwritable(path, cause)),
    }).pipe(Effect.uninterruptible),
  load: Effect.tryPromise({
    try: () => load(path),
    catch: (cause) => (known(cause) ? cause : unreadable(path, cause)),
  }),
})

/** Whether a store was ever saved to this folder completely. */
export const holdsStore = (path: string): Effect.Effect<boolean> =>
  Effect.promise(async () => {
    try {
      await (await open(join(path, manifestName), "r")).close()
      return true
    } catch {
      return false
    }
  })
