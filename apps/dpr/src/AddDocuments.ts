import { existsSync } from "node:fs"
import { mkdir } from "node:fs/promises"
import { dirname, resolve } from "node:path"
import type { Passage } from "@tandem/datasets"
import {
  approximateTokens,
  chunkPassage,
  countBy,
  type DocumentProblem,
  isProblem,
  makeChunker,
} from "@tandem/documents"
import { noDocuments, passageTokens, problemWarnings } from "@tandem/documents/node/DocumentPassages"
import { type DocumentFile, listDocuments } from "@tandem/documents/node/FolderFiles"
import { readDocumentFile } from "@tandem/documents/node/ReadDocuments"
import { encodingOf } from "@tandem/objectives"
import { encodeCorpus, openIndex, storeIdentity } from "@tandem/retriever"
import { progressTo, type RunOptions, SettingsError } from "@tandem/runs"
import { hashPath } from "@tandem/runs/node/RunFiles"
import { holdLock, openRunFolder, runPaths } from "@tandem/runs/node/RunFolder"
import type { NodeProvider } from "@tandem/runtime"
import { layer } from "@tandem/runtime/node/NodeRuntime"
import { Exact, type StoreContents } from "@tandem/store"
import { holdsStore, nodeFolder } from "@tandem/store/node/StoreFolder"
import { Effect, Stream } from "effect"
import { type Added, type AddedFile, type Chunking, readAdded, writeAdded } from "./AddedDocuments.ts"
import { type EncodingSource, openEncoders } from "./OpenEncoders.ts"

/** What `addDocuments` is told. */
export type AddDocumentsSettings = EncodingSource & {
  /** The folder of documents. */
  readonly folder: string
  /** The index's folder; the run's own where absent. */
  readonly store?: string
  /**
   * Most tokens of the encoder in a passage; as before where absent. At first as `documentPassages` divides, so that an
   * index of a folder of documents goes on being one, or what the encoder reads where that is less.
   */
  readonly chunkSize?: number
  /** Tokens by which passages repeat the end of the one before; as before where absent, at first 0. */
  readonly overlap?: number
  readonly device: NodeProvider | "auto"
  readonly threads?: number
}

/** What became of the index. */
export interface AddedDocuments {
  readonly store: string
  /** Files that were read because they are new or have changed. */
  readonly read: number
  readonly unchanged: number
  /** Files whose passages left the index: they are gone, or cannot be read any more. */
  readonly removed: number
  /** Files, and lines of JSON Lines, that could not be read. */
  readonly skipped: number
  /** Passages that were encoded, that left, and that the index holds now. */
  readonly encoded: number
  readonly left: number
  readonly passages: number
}

/**
 * Brings an index to what a folder of documents holds: new and changed files are read, and of them those passages encoded
 * that the index lacks; passages of files that are gone leave. Passages that did not come from this folder stay. What was
 * added is kept beside the index (`documents.json`). A kill at any moment leaves an index that the same command completes.
 *
 * A folder that is gone, and whose files are for the most part in this one, is taken for this one by its former name.
 * Passages of these documents that are in the index and were divided otherwise end in `SettingsError`: they would stand in it
 * twice.
 */
export const addDocuments = Effect.fn("dpr.addDocuments")((settings: AddDocumentsSettings, { observe }: RunOptions) => {
  const { device, threads } = settings
  return Effect.gen(function* () {
    const store = yield* placeOf(settings)
    if ("run" in settings && settings.store === undefined) yield* openRunFolder(settings.run, true)
    else yield* holdStore(store)
    yield* observe({ event: "phase", name: "loading the model" })
    const { towers, retrieval } = yield* openEncoders(settings, () => [])
    const encoding = { passage: towers.passage, ...encodingOf(retrieval, "passage") }
    const before = (yield* holdsStore(store))
      ? yield* Effect.flatMap(
          openIndex(encoding, (expected) => Exact.open(nodeFolder(store), expected)),
          (opened) => opened.store.contents,
        )
      : emptyContents(yield* storeIdentity(encoding))
    const added = yield* readAdded(store)
    const { tokenizer } = towers.passage.encoder
    const chunking = chunkingOf(settings, added.chunking, retrieval.maxLength.passage)
    const chunk = yield* chunker(chunking, chunking.tokens === "approximate" ? approximateTokens : countBy(tokenizer))

    const folder = resolve(settings.folder)
    const { files, problems: unlisted } = yield* listDocuments(settings.folder)
    const former = formerOf(folder, added.folders, new Set(files.map(({ source }) => source)))
    if (former !== folder) {
      yield* observe({ event: "warning", message: `${former} is gone, and ${folder} is taken for it by another name` })
    }
    const own = added.folders[former] ?? {}
    const known = sameChunking(added.chunking, chunking) ? own : {}
    const held = new Map(before.passages.map((passage, row) => [passage.id, { passage, row }]))
    const problems: DocumentProblem[] = [...unlisted]
    const now: Record<string, AddedFile> = {}
    const unfinished: Record<string, AddedFile> = {}
    const passages = new Map<string, Passage>()
    const progress = progressTo(observe)
    let read = 0
    for (const [index, file] of files.entries()) {
      progress("reading documents", index, files.length)
      const sha256 = yield* hashPath(file.path)
      const earlier = known[file.source]
      if (earlier?.sha256 === sha256 && earlier.passages.every((id) => held.has(id))) {
        now[file.source] = earlier
        continue
      }
      read++
      const found = yield* readFile(file)
      problems.push(...found.filter(isProblem))
      const divided = found.flatMap((item) => (isProblem(item) ? [] : chunk(item).map(chunkPassage)))
      for (const passage of divided) passages.set(passage.id, passage)
      if (divided.length === 0) continue
      const ids = divided.map(({ id }) => id)
      now[file.source] = { sha256, passages: ids }
      unfinished[file.source] = { sha256: "", passages: ids }
    }
    for (const message of problemWarnings(problems)) yield* observe({ event: "warning", message })
    const others = Object.entries(added.folders).filter(([path]) => path !== former)
    if (Object.keys(now).length === 0 && added.folders[former] === undefined) {
      return yield* noDocuments(settings.folder, problems)
    }

    const stays = new Set([...others.map(([, each]) => each), now].flatMap(idsOf))
    const leaves = new Set(idsOf(own).filter((id) => held.has(id) && !stays.has(id)))
    yield* refuseTwice(before.passages, new Set(Object.keys(now)), new Set([...stays, ...leaves]))
    const missing = [...passages.values()].filter((passage) => !isHeld(held.get(passage.id)?.passage, passage))
    const replaced = new Set(missing.map(({ id }) => id))
    const keptRows = [...held.values()].filter(({ passage: { id } }) => !leaves.has(id) && !replaced.has(id))
    const record = (current: Readonly<Record<string, AddedFile>>) =>
      writeAdded(store, { chunking, folders: { ...Object.fromEntries(others), [folder]: current } })
    if (missing.length > 0 || leaves.size > 0) {
      const fresh = yield* encodeCorpus(
        { ...encoding, onProgress: (done, total) => progress("indexing passages", done, total) },
        missing,
      )
      const contents = joined(before, keptRows, fresh)
      // What is about to come and what may have to leave is written down first, so that a kill loses track of none; files that
      // were read without their hashes, so that they are read again then: a title can change while passages keep their ids.
      yield* record({ ...now, ...unfinished, ...pending(own, leaves) })
      const next = yield* Exact.make(contents.identity)
      yield* next.replace(contents)
      yield* next.snapshot(nodeFolder(store))
    }
    yield* record(now)
    const gone = Object.keys(own).filter((source) => now[source] === undefined && isSource(source))
    return {
      store,
      read,
      unchanged: files.length - read,
      removed: gone.length,
      skipped: problems.length,
      encoded: missing.length,
      left: leaves.size,
      passages: keptRows.length + missing.length,
    } satisfies AddedDocuments
  }).pipe(Effect.scoped, Effect.provide(layer({ device, ...(threads === undefined ? {} : { threads }) })))
})

const placeOf = (settings: AddDocumentsSettings): Effect.Effect<string, SettingsError> => {
  if (settings.store !== undefined) return Effect.succeed(settings.store)
  if ("run" in settings) return Effect.succeed(runPaths(settings.run).store)
  return Effect.fail(
    new SettingsError({
      message: "no index is named to add the documents to",
      field: "store",
      expected: "the folder of an index, beside a model without a run",
    }),
  )
}

/** Keeps an index that belongs to no run from everybody else. */
const holdStore = Effect.fnUntraced(function* (store: string) {
  const file = `${resolve(store)}.lock`
  yield* Effect.tryPromise({
    try: () => mkdir(dirname(file), { recursive: true }),
    catch: (cause) =>
      new SettingsError({
        message: `the index cannot be written: ${cause instanceof Error ? cause.message : String(cause)}`,
        file: store,
        field: "store",
      }),
  })
  yield* holdLock(file, "index")
})

/** How documents are divided: as told, else as before, else as for every model where this one reads as much. */
const chunkingOf = (
  { chunkSize, overlap }: AddDocumentsSettings,
  before: Chunking | undefined,
  longest: number,
): Chunking => {
  const shared = overlap ?? before?.overlap ?? 0
  if (chunkSize !== undefined) return { chunkSize, overlap: shared }
  if (before !== undefined) return { ...before, overlap: shared }
  const readable = Math.floor(0.9 * longest)
  return readable < passageTokens
    ? { chunkSize: readable, overlap: shared }
    : { chunkSize: passageTokens, overlap: shared, tokens: "approximate" }
}

/** The name under which a folder is known: its own, or that of one which is gone and had for the most part these files. */
const formerOf = (folder: string, folders: Added["folders"], sources: ReadonlySet<string>): string => {
  if (folders[folder] !== undefined) return folder
  const isThis = ([path, files]: readonly [string, Readonly<Record<string, AddedFile>>]): boolean => {
    const known = Object.keys(files).filter(isSource)
    return !existsSync(path) && known.filter((source) => sources.has(source)).length > known.length / 2
  }
  return Object.entries(folders).find(isThis)?.[0] ?? folder
}

/** Refuses an index that holds passages of these documents which no folder is known to have brought. */
const refuseTwice = (
  passages: readonly Passage[],
  sources: ReadonlySet<string>,
  known: ReadonlySet<string>,
): Effect.Effect<void, SettingsError> => {
  const strange = passages.filter(({ id, metadata }) => {
    const document = metadata?.["document"]
    return typeof document === "string" && sources.has(document) && !known.has(id)
  })
  const [first] = strange
  if (first === undefined) return Effect.void
  return Effect.fail(
    new SettingsError({
      message: "the index holds passages of these documents that were divided otherwise, which would stand in it twice",
      field: "store",
      found: `${strange.length} passages, such as ${first.id} of ${String(first.metadata?.["document"])}`,
      hint: "divide as they were, or choose another folder for the index",
    }),
  )
}

const emptyContents = (identity: StoreContents["identity"]): StoreContents => ({
  identity,
  passages: [],
  vectors: new Float32Array(),
})

const chunker = ({ chunkSize, overlap }: Chunking, countTokens: ReturnType<typeof countBy>) =>
  Effect.try({
    try: () => makeChunker({ maxTokens: chunkSize, overlap, countTokens }),
    catch: (cause) =>
      new SettingsError({
        message: `documents cannot be divided so: ${cause instanceof Error ? cause.message : String(cause)}`,
        field: "chunkSize",
        expected: "16 tokens or more, and an `overlap` of at most half of them",
        found: `${chunkSize}, \`overlap\` ${overlap}`,
      }),
  })

const readFile = (file: DocumentFile) => Effect.map(Stream.runCollect(readDocumentFile(file)), (found) => [...found])

const sameChunking = (before: Chunking | undefined, now: Chunking): boolean =>
  before?.chunkSize === now.chunkSize && before.overlap === now.overlap && before.tokens === now.tokens

const idsOf = (files: Readonly<Record<string, AddedFile>>): readonly string[] =>
  Object.values(files).flatMap(({ passages }) => passages)

/** A title is no part of an id and may be one of what the encoder reads. */
const isHeld = (held: Passage | undefined, passage: Passage): boolean =>
  held !== undefined && held.text === passage.text && held.title === passage.title

/** Whether a name is that of a file and not one of {@link pending}. */
const isSource = (source: string): boolean => !source.endsWith("\u0000")

/** Files as they were whose passages leave, under names that no file has. */
const pending = (
  before: Readonly<Record<string, AddedFile>> | undefined,
  leaves: ReadonlySet<string>,
): Readonly<Record<string, AddedFile>> =>
  Object.fromEntries(
    Object.entries(before ?? {}).flatMap(([source, { passages }]) => {
      const left = passages.filter((id) => leaves.has(id))
      return left.length === 0 ? [] : [[isSource(source) ? `${source}\u0000` : source, { sha256: "", passages: left }]]
    }),
  )

const joined = (
  before: StoreContents,
  kept: readonly { readonly passage: Passage; readonly row: number }[],
  fresh: StoreContents,
): StoreContents => {
  const { dimension } = fresh.identity
  const vectors = new Float32Array((kept.length + fresh.passages.length) * dimension)
  for (const [at, { row }] of kept.entries()) {
    vectors.set(before.vectors.subarray(row * dimension, (row + 1) * dimension), at * dimension)
  }
  vectors.set(fresh.vectors, kept.length * dimension)
  return { identity: fresh.identity, passages: [...kept.map(({ passage }) => passage), ...fresh.passages], vectors }
}
