import { existsSync } from "node:fs"
import { join } from "node:path"
import type { Usage } from "@tandem/generator"
import { Effect, Result, Stream } from "effect"
import { type ChunkList, chunksAt, growingNumbers } from "../ChunkList.ts"
import type { DatagenSettings } from "../DatagenSettings.ts"
import type { OutputFolderFailed, TooFewChunks } from "../Errors.ts"
import type { Item } from "../Item.ts"
import type { Model, ModelRequest } from "../model/Model.ts"
import { addUsage, type ModelRole, memoryResults } from "../model/Results.ts"
import { filterChunk, filterRequest } from "../stages/Filter.ts"
import { conversationRequest } from "../stages/GenerateConversation.ts"
import { chosenChunks } from "./GenerateData.ts"
import { makePipeline, type Pipeline, type PipelineModels, resultsFile } from "./Pipeline.ts"
import { itemsOf, keptItems } from "./PrepareItems.ts"
import { openSqliteResults } from "./SqliteResults.ts"

/** What a model would be asked. */
export interface EstimatedCalls {
  readonly model: string
  readonly calls: number
  /** Calls whose replies are kept already, and cost nothing more. */
  readonly kept: number
  readonly inputTokens: number
  /** As replies usually are. */
  readonly outputTokens: number
  readonly cost: number
  /** If every reply were as long as it may be. */
  readonly mostCost: number
}

/** What a run of a pipeline would ask and cost, corrections of replies that cannot be used not counted. */
export interface Estimate {
  readonly chunks: number
  readonly small: EstimatedCalls
  readonly large: EstimatedCalls
  readonly cost: number
  readonly mostCost: number
}

/** Tokens that replies usually have. */
const usual: Readonly<Record<ModelRole, number>> = { small: 60, large: 700 }

/**
 * What `generateData` would ask with these settings and chunks, and what that would cost, without asking anything: every
 * prompt is made and its tokens are estimated. Chunks without a kept verdict count as fit for questions, so that it is rather
 * too much.
 */
export const estimateCost = Effect.fn("datagen.estimateCost")(function* (options: {
  readonly settings: DatagenSettings
  readonly chunks: ChunkList
  readonly models: PipelineModels
  readonly compat?: boolean
}) {
  const { settings, models, compat = false } = options
  const file = join(settings.path.output_dir, resultsFile)
  const results = existsSync(file) ? yield* openSqliteResults(file) : memoryResults()
  const pipeline = yield* makePipeline(settings, models, results)
  const chunks = chosenChunks(options.chunks, settings)
  const filters = Stream.fromIterable(settings.skip.skip_filter_chunks ? [] : chunks).pipe(
    Stream.map((chunk) => filterRequest(chunk, pipeline.options)),
  )
  const suitable = settings.skip.skip_filter_chunks ? chunks : yield* notRefused(pipeline, chunks)
  // Where a run has drawn from these chunks before, what it asked about is what would be asked again.
  const kept: Stream.Stream<Item, OutputFolderFailed | TooFewChunks> | undefined = yield* keptItems(suitable, {
    settings,
    compat,
  })
  const items = kept ?? itemsOf(suitable, { settings, compat })
  const conversations = Stream.map(items, (item) => conversationRequest(item, pipeline.options))
  const small = yield* estimated(pipeline.models.small, filters)
  const large = yield* estimated(pipeline.models.large, conversations)
  return {
    chunks: chunks.length,
    small,
    large,
    cost: small.cost + large.cost,
    mostCost: small.mostCost + large.mostCost,
  } satisfies Estimate
}, Effect.scoped)

/** The chunks that kept replies do not refuse. */
const notRefused = Effect.fnUntraced(function* ({ models: { small }, options }: Pipeline, chunks: ChunkList) {
  const asked = {
    call: (request: ModelRequest) =>
      Effect.flatMap(small.kept(request), (exchange) =>
        exchange === undefined ? Effect.fail("not asked yet" as const) : Effect.succeed(exchange),
      ),
  }
  const places = growingNumbers()
  let place = 0
  for (const chunk of chunks) {
    const isWanted = yield* filterChunk(asked, chunk, options).pipe(
      Effect.map(({ verdict }) => Result.isSuccess(verdict) && verdict.success.suitable),
      Effect.catch((failure) => (failure === "not asked yet" ? Effect.succeed(true) : Effect.fail(failure))),
    )
    if (isWanted) places.push(place)
    place += 1
  }
  return chunksAt(chunks, places)
})

const estimated = Effect.fnUntraced(function* <E>(model: Model, requests: Stream.Stream<ModelRequest, E>) {
  let [calls, kept] = [0, 0]
  let likely: Usage = { inputTokens: 0, outputTokens: 0 }
  let most = likely
  yield* Stream.runForEach(requests, (request) =>
    Effect.map(model.kept(request), (exchange) => {
      calls += 1
      if (exchange !== undefined) {
        kept += 1
        return
      }
      const longest = model.mostOf(request)
      const outputTokens = Math.min(longest.outputTokens, usual[model.role])
      likely = addUsage(likely, { ...longest, outputTokens })
      most = addUsage(most, longest)
    }),
  )
  return {
    model: model.name,
    calls,
    kept,
    ...likely,
    cost: model.costOf(likely),
    mostCost: model.costOf(most),
  } satisfies EstimatedCalls
})
