import { existsSync } from "node:fs"
import { mkdir } from "node:fs/promises"
import { join } from "node:path"
import { type DatagenSettings, InvalidDatagenSettings, type ObserveDatagen, OutputFolderFailed } from "@tandem/datagen"
import { estimateCost } from "@tandem/datagen/node/EstimateCost"
import { generateData } from "@tandem/datagen/node/GenerateData"
import { resultsFile } from "@tandem/datagen/node/Pipeline"
import type { Chunk } from "@tandem/documents"
import { holdLock } from "@tandem/runs/node/RunFolder"
import { Effect } from "effect"
import { openModels } from "./OpenModels.ts"
import { readChunks } from "./ReadChunks.ts"

export interface GenerateFlags {
  readonly observe: ObserveDatagen
  /** Goes on in a folder that holds replies already; without it such a folder is refused. */
  readonly resume?: boolean
  /** Draws what is shown as the reference does, leaks included. */
  readonly compat?: boolean
}

/** From a folder of documents to training data in another, as settings say. */
export const generateFromDocuments = Effect.fn("data.generate")(function* (
  settings: DatagenSettings,
  { observe, resume = false, compat = false }: GenerateFlags,
) {
  yield* checkCompat(settings, compat)
  const { output_dir: folder } = settings.path
  if (!resume && existsSync(join(folder, resultsFile))) {
    return yield* new OutputFolderFailed({
      message: `${folder} holds data already, or the beginning of some`,
      file: folder,
      field: "path.output_dir",
      hint: "go on with `resume`, which pays for nothing again, or choose another folder",
    })
  }
  yield* holdFolder(folder)
  const models = yield* openModels(settings)
  const chunks = yield* readChunks(settings, observe)
  const encoder = settings.system.retrieval_encoder
  return yield* generateData({
    settings,
    chunks,
    models,
    compat,
    observe,
    ...(encoder === undefined ? {} : { neighbours: (suitable: readonly Chunk[]) => neighboursBy(encoder, suitable) }),
  })
}, Effect.scoped)

/** What {@link generateFromDocuments} would ask and cost, without asking anything. Replies that are kept are counted as such. */
export const estimateFromDocuments = Effect.fn("data.estimate")(function* (
  settings: DatagenSettings,
  { observe, compat = false }: GenerateFlags,
) {
  yield* checkCompat(settings, compat)
  if (existsSync(settings.path.output_dir)) yield* holdFolder(settings.path.output_dir)
  const models = yield* openModels(settings)
  const chunks = yield* readChunks(settings, observe)
  return yield* estimateCost({ settings, chunks, models, compat })
}, Effect.scoped)

const neighboursBy = (encoder: string, chunks: readonly Chunk[]) =>
  Effect.flatMap(
    Effect.promise(() => import("./ChunkNeighbours.ts")),
    ({ chunkNeighbours }) => chunkNeighbours(encoder, chunks),
  )

const holdFolder = Effect.fnUntraced(function* (folder: string) {
  yield* Effect.tryPromise({
    try: () => mkdir(folder, { recursive: true }),
    catch: (cause) =>
      new OutputFolderFailed({
        message: "the output folder cannot be made",
        file: folder,
        field: "path.output_dir",
        found: cause instanceof Error ? cause.message : String(cause),
      }),
  })
  yield* holdLock(join(folder, ".lock"), "output folder")
})

/** The reference knows random distractors for questions on one chunk, and an encoder is of use for hard ones. */
const checkCompat = ({ system }: DatagenSettings, compat: boolean): Effect.Effect<void, InvalidDatagenSettings> => {
  const { retrieval_mode, multi_chunk_share, too_few_chunks, retrieval_encoder } = system
  const idle = (field: string, because: string) =>
    Effect.fail(
      new InvalidDatagenSettings({ message: `\`system.${field}\` has no effect ${because}`, field: `system.${field}` }),
    )
  if (compat && retrieval_mode !== "random") return idle("retrieval_mode", "on draws of the reference")
  if (compat && multi_chunk_share > 0) return idle("multi_chunk_share", "on draws of the reference")
  if (compat && too_few_chunks !== "error") return idle("too_few_chunks", "on draws of the reference")
  if (retrieval_encoder !== undefined && retrieval_mode !== "hard")
    return idle("retrieval_encoder", "where distractors are random")
  return Effect.void
}
