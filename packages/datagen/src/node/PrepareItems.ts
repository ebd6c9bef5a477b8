import { createHash } from "node:crypto"
import { createReadStream, existsSync } from "node:fs"
import { readFile } from "node:fs/promises"
import { join } from "node:path"
import { createInterface } from "node:readline"
import { Effect, Result, Schema, Stream } from "effect"
import type { ChunkList } from "../ChunkList.ts"
import { conversationOf } from "../ConversationFile.ts"
import type { DatagenSettings } from "../DatagenSettings.ts"
import type { OutputFolderFailed, TooFewChunks } from "../Errors.ts"
import type { Item } from "../Item.ts"
import type { Neighbours } from "../simulate/Candidates.ts"
import { simulateRetrieval } from "../simulate/Simulate.ts"
import { simulateAsReference } from "../simulate/SimulateAsReference.ts"
import { datagenFiles, jsonLine, onDisk, openOutput, writeJson } from "./OutputFiles.ts"

export interface PrepareOptions {
  readonly settings: DatagenSettings
  /** Draws as the reference does, which excludes no leaks. */
  readonly compat: boolean
  readonly neighbours?: Neighbours
}

/** Simulated retrieval as settings say. */
export const itemsOf = (
  chunks: ChunkList,
  { settings: { system }, compat, neighbours }: PrepareOptions,
): Stream.Stream<Item, TooFewChunks> =>
  compat
    ? Stream.unwrap(
        Effect.map(
          simulateAsReference([...chunks], {
            seed: system.seed,
            failureShare: system.rag_failure_percentage,
            maxChunks: system.rag_max_chunks,
          }),
          Stream.fromIterable,
        ),
      )
    : simulateRetrieval(chunks, {
        seed: system.seed,
        failureShare: system.rag_failure_percentage,
        maxChunks: system.rag_max_chunks,
        mode: system.retrieval_mode,
        tooFew: system.too_few_chunks,
        multiChunkShare: system.multi_chunk_share,
        ...(neighbours === undefined ? {} : { neighbours }),
      })

/**
 * Simulated retrieval, kept in `rag_prepared_data.jsonl`, and its items as a stream. What is there is used again where the
 * chunks and all that decides their draws are the same, and the file is as it was written.
 */
export const prepareItems = Effect.fnUntraced(function* (
  chunks: ChunkList,
  options: PrepareOptions,
): Effect.fn.Return<Stream.Stream<Item, OutputFolderFailed>, OutputFolderFailed | TooFewChunks> {
  const { output_dir: folder } = options.settings.path
  const file = join(folder, datagenFiles.prepared)
  const fingerprint = fingerprintOf(chunks, options)
  const kept = yield* keptItems(chunks, options)
  if (kept !== undefined) return kept
  const hash = createHash("sha256")
  const writing = Effect.gen(function* () {
    const output = yield* openOutput(file)
    yield* Stream.runForEach(itemsOf(chunks, options), (item) => {
      const line = jsonLine(item)
      hash.update(line)
      return output.write(line)
    })
    yield* output.commit
  })
  yield* Effect.scoped(writing)
  yield* writeJson(join(folder, datagenFiles.preparedBy), { format: 1, fingerprint, sha256: hash.digest("hex") })
  return itemsIn(file)
})

/** The items of an earlier run, where chunks and all that decides their draws are the same. */
export const keptItems = Effect.fnUntraced(function* (
  chunks: ChunkList,
  options: PrepareOptions,
): Effect.fn.Return<Stream.Stream<Item, OutputFolderFailed> | undefined, OutputFolderFailed> {
  const { output_dir: folder } = options.settings.path
  if (!(yield* isKept(folder, fingerprintOf(chunks, options)))) return undefined
  return itemsIn(join(folder, datagenFiles.prepared))
})

const fingerprintOf = (chunks: ChunkList, { settings: { system }, compat }: PrepareOptions): string => {
  const { seed, rag_failure_percentage, rag_max_chunks, retrieval_mode, too_few_chunks, multi_chunk_share } = system
  const hash = createHash("sha256").update(
    JSON.stringify([
      [seed, rag_failure_percentage, rag_max_chunks, retrieval_mode, too_few_chunks, multi_chunk_share, compat],
      retrieval_mode === "hard" && !compat ? (system.retrieval_encoder ?? null) : null,
    ]),
  )
  for (const chunk of chunks) hash.update(JSON.stringify(chunk))
  return hash.digest("hex")
}

const Prepared = Schema.Struct({ format: Schema.Literal(1), fingerprint: Schema.String, sha256: Schema.String })
const decode = Schema.decodeUnknownResult(Schema.fromJsonString(Prepared))

const isKept = Effect.fnUntraced(function* (folder: string, fingerprint: string) {
  const [file, by] = [join(folder, datagenFiles.prepared), join(folder, datagenFiles.preparedBy)]
  if (!existsSync(file) || !existsSync(by)) return false
  const prepared = decode(yield* onDisk(by, () => readFile(by, "utf8")))
  if (Result.isFailure(prepared) || prepared.success.fingerprint !== fingerprint) return false
  const hash = createHash("sha256")
  yield* onDisk(file, async () => {
    for await (const bytes of createReadStream(file)) hash.update(bytes)
  })
  return hash.digest("hex") === prepared.success.sha256
})

const itemsIn = (file: string): Stream.Stream<Item, OutputFolderFailed> =>
  Stream.fromAsyncIterable(readItems(file), (cause) => cause).pipe(
    Stream.catch((cause) => Stream.fromEffect(onDisk(file, () => Promise.reject(cause)))),
  )

async function* readItems(file: string): AsyncGenerator<Item> {
  let line = 0
  for await (const text of createInterface({ input: createReadStream(file), crlfDelay: Number.POSITIVE_INFINITY })) {
    line += 1
    yield conversationOf({ item: JSON.parse(text), turns: [] }, { file, line }).item
  }
}
