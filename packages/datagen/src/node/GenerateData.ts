import { join } from "node:path"
import { type Chunk, subset } from "@tandem/documents"
import { InvalidTemplate, type Usage } from "@tandem/generator"
import type { ModelError } from "@tandem/models"
import type { ProviderUnavailable } from "@tandem/runtime"
import type { InvalidVectorError } from "@tandem/store"
import { Effect, Result, Stream } from "effect"
import { type ChunkList, chunksAt, growingNumbers } from "../ChunkList.ts"
import { conversationLine } from "../ConversationFile.ts"
import type { DatagenEvent, DatagenSummary, ObserveDatagen } from "../DatagenEvent.ts"
import type { DatagenSettings } from "../DatagenSettings.ts"
import type { OutputFolderFailed } from "../Errors.ts"
import { type RowMaker, rowMaker } from "../format/TrainingRows.ts"
import type { Conversation, Item, Rejected } from "../Item.ts"
import type { Exchange } from "../model/Model.ts"
import { addUsage, type ModelRole } from "../model/Results.ts"
import type { Neighbours } from "../simulate/Candidates.ts"
import { filterChunk } from "../stages/Filter.ts"
import { generateConversation } from "../stages/GenerateConversation.ts"
import { judgeConversation } from "../stages/JudgeConversation.ts"
import { reasonOf } from "../verify/Finding.ts"
import { findByBm25, roundTrip } from "../verify/RoundTrip.ts"
import { conversationVerifier } from "../verify/Verify.ts"
import { conversationFiles, rejectedFile, writeTrainingRows } from "./ConversationFolder.ts"
import {
  datagenFiles,
  debugEntry,
  jsonLine,
  metaLine,
  type OutputFile,
  onDisk,
  openOutput,
  writeJson,
} from "./OutputFiles.ts"
import { makePipeline, type Pipeline, type PipelineModels, resultsFile } from "./Pipeline.ts"
import { prepareItems } from "./PrepareItems.ts"
import { openSqliteResults } from "./SqliteResults.ts"

/** What encoding chunks can end in. */
export type EncodingFailure = ModelError | InvalidVectorError | ProviderUnavailable

export interface GenerateDataOptions {
  readonly settings: DatagenSettings
  /** All chunks of the documents, in their order; a list on the disk keeps memory as it is, however many there are. */
  readonly chunks: ChunkList
  readonly models: PipelineModels
  /** Nearest chunks by vectors among these, for hard distractors. */
  readonly neighbours?: (chunks: readonly Chunk[]) => Effect.Effect<Neighbours, EncodingFailure>
  /** Draws as the reference does; false where absent. */
  readonly compat?: boolean
  readonly observe?: ObserveDatagen
}

/** The chunks that settings choose. */
export const chosenChunks = (
  chunks: ChunkList,
  { system: { use_subset, subset_size, seed } }: DatagenSettings,
): ChunkList => {
  if (!use_subset || chunks.length <= subset_size) return chunks
  const places = Array.from({ length: chunks.length }, (_, place) => place)
  return chunksAt(chunks, subset(places, { size: subset_size, seed }))
}

/**
 * The pipeline from chunks to training rows: filter, simulated retrieval, conversations, checks, rows, each written into
 * `path.output_dir` as it is whole. Every reply is kept in `results.sqlite` before it is used: a run that was stopped, by
 * whatever, is repeated and goes on where it was, and equal settings, chunks and replies give equal files, byte for byte.
 *
 * Ends in `BudgetReached` and `EndpointDown` with all that is finished kept. Nobody else may work in the folder.
 */
export const generateData = Effect.fn("datagen.generateData")(function* (options: GenerateDataOptions) {
  const { settings, compat = false, observe = () => Effect.void } = options
  const { output_dir: folder } = settings.path
  // Formats that cannot be used are to end it before anything is paid for.
  const maker = yield* makerOf(settings)
  const results = yield* openSqliteResults(join(folder, resultsFile))
  const pipeline = yield* makePipeline(settings, options.models, results)
  const run: Run = { pipeline, folder, observe, tokens: tallies() }
  const chunks = chosenChunks(options.chunks, settings)
  const rejected = yield* openOutput(join(folder, rejectedFile))
  const reject = Effect.fnUntraced(function* ({ stage, reason, item }: Rejected, more: object = {}) {
    yield* rejected.write(jsonLine({ stage, reason, item, ...more }))
    yield* observe({ event: "rejected", stage, key: item.key, source: item.chunk.source, reason })
  })
  const outputs: Outputs = {
    reject,
    meta: settings.meta_datagen.do_meta_datagen ? yield* openOutput(join(folder, datagenFiles.meta)) : undefined,
  }
  const suitable = settings.skip.skip_filter_chunks ? chunks : yield* filterAll(run, chunks, outputs)
  const neighbours = yield* neighboursOf(options, suitable)
  yield* observe({ event: "phase", name: "simulating retrieval" })
  const items = yield* prepareItems(suitable, { settings, compat, ...(neighbours === undefined ? {} : { neighbours }) })
  const counts = yield* Effect.scoped(generateAll(run, { items, suitable }, outputs))
  yield* Effect.all([rejected.commit, outputs.meta?.commit ?? Effect.void], together)
  yield* observe({ event: "phase", name: "writing rows" })
  const rows = yield* onDisk(folder, () => writeTrainingRows(folder, maker))
  yield* writeTokens(run)
  const { small, large } = run.tokens
  const summary: DatagenSummary = {
    chunks: chunks.length,
    suitable: suitable.length,
    ...counts,
    rejected: chunks.length - counts.success - counts.failed,
    rows,
    tokens: { input: small.inputTokens + large.inputTokens, output: small.outputTokens + large.outputTokens },
    cost: pipeline.models.small.costOf(small) + pipeline.models.large.costOf(large),
  }
  yield* observe({ event: "done", ...summary })
  return summary
}, Effect.scoped)

const together = { concurrency: "unbounded", discard: true } as const

/** How rows are made; a format that cannot be used ends in `InvalidTemplate`. */
const makerOf = ({ system }: DatagenSettings): Effect.Effect<RowMaker, InvalidTemplate> =>
  Effect.suspend(() => {
    try {
      return Effect.succeed(rowMaker(system))
    } catch (cause) {
      return cause instanceof InvalidTemplate ? Effect.fail(cause) : Effect.die(cause)
    }
  })

interface Run {
  readonly pipeline: Pipeline
  readonly folder: string
  readonly observe: ObserveDatagen
  readonly tokens: Record<ModelRole, Usage>
}

interface Outputs {
  readonly reject: (rejected: Rejected, more?: object) => Effect.Effect<void, OutputFolderFailed>
  readonly meta: OutputFile | undefined
}

const tallies = (): Record<ModelRole, Usage> => ({
  small: { inputTokens: 0, outputTokens: 0 },
  large: { inputTokens: 0, outputTokens: 0 },
})

const tally = ({ tokens }: Run, role: ModelRole, exchanges: readonly Exchange[]): void => {
  for (const { usage } of exchanges) tokens[role] = addUsage(tokens[role], usage)
}

/** Progress of a stage. */
const progress = ({ observe, pipeline }: Run, name: string, done: number, total: number): Effect.Effect<void> => {
  const event: DatagenEvent = { event: "phase", name, done, total, spent: pipeline.budget.spent() }
  return observe(event)
}

const neighboursOf = Effect.fnUntraced(function* (options: GenerateDataOptions, chunks: ChunkList) {
  const { settings, neighbours, compat = false, observe = () => Effect.void } = options
  if (neighbours === undefined || settings.system.retrieval_mode !== "hard" || compat) return undefined
  yield* observe({ event: "phase", name: "encoding chunks" })
  return yield* neighbours([...chunks])
})

/** The chunks that are fit for questions; the others are rejected. */
const filterAll = Effect.fnUntraced(function* (run: Run, chunks: ChunkList, { reject, meta }: Outputs) {
  const { pipeline, folder } = run
  const suitable = growingNumbers()
  const writing = Effect.gen(function* () {
    const debug = yield* openOutput(join(folder, datagenFiles.filterDebug))
    let done = 0
    yield* progress(run, "filtering", done, chunks.length)
    const filtered = Stream.fromIterable(chunks).pipe(
      Stream.mapEffect((chunk) => filterChunk(pipeline.models.small, chunk, pipeline.options), {
        concurrency: pipeline.window,
      }),
    )
    yield* Stream.runForEach(filtered, ({ chunk, verdict, exchanges }) =>
      Effect.gen(function* () {
        tally(run, "small", exchanges)
        const reason = Result.match(verdict, {
          onFailure: (problem) => problem,
          onSuccess: (one) => (one.suitable ? undefined : `not fit for questions: ${one.reason}`),
        })
        yield* debug.write(debugEntry(chunk.id, chunk.source, exchanges, reason ?? "suitable"))
        if (Result.isSuccess(verdict)) yield* meta?.write(metaLine(exchanges)) ?? Effect.void
        if (reason === undefined) suitable.push(done)
        else {
          yield* reject({ item: { key: chunk.id, chunk, shown: [], failed: false }, stage: "filter", reason })
        }
        done += 1
        yield* progress(run, "filtering", done, chunks.length)
      }),
    )
    yield* debug.commit
  })
  yield* Effect.scoped(writing)
  return chunksAt(chunks, suitable)
})

interface Prepared {
  readonly items: Effect.Success<ReturnType<typeof prepareItems>>
  readonly suitable: ChunkList
}

/** The conversations of all items, checked and written; how many there are. */
const generateAll = Effect.fnUntraced(function* (run: Run, { items, suitable }: Prepared, { reject, meta }: Outputs) {
  const { pipeline, folder } = run
  const [success, failure] = [
    yield* openOutput(join(folder, conversationFiles[0])),
    yield* openOutput(join(folder, conversationFiles[1])),
  ]
  const [successDebug, failedDebug] = [
    yield* openOutput(join(folder, datagenFiles.successDebug)),
    yield* openOutput(join(folder, datagenFiles.failedDebug)),
  ]
  const faultsOf = checks(pipeline.settings, suitable)
  const counts = { success: 0, failed: 0 }
  let done = 0
  yield* progress(run, "generating", done, suitable.length)
  const generated = items.pipe(
    Stream.mapEffect((item) => checkedConversation(pipeline, item, faultsOf), { concurrency: pipeline.window }),
  )
  yield* Stream.runForEach(generated, ({ item, conversation, exchanges, judged, reasons }) =>
    Effect.gen(function* () {
      tally(run, "large", exchanges)
      tally(run, "small", judged)
      const faults: Rejected = { item, stage: "verify", reason: reasons.join("; ") }
      const rejected = Result.isFailure(conversation) ? conversation.failure : reasons.length > 0 ? faults : undefined
      const debug = item.failed ? failedDebug : successDebug
      const said = [...exchanges, ...judged]
      yield* debug.write(debugEntry(item.key, item.chunk.source, said, rejected?.reason ?? "accepted"))
      if (rejected !== undefined) {
        yield* reject(rejected, Result.isSuccess(conversation) ? { turns: conversation.success.turns } : {})
      } else if (Result.isSuccess(conversation)) {
        counts[item.failed ? "failed" : "success"] += 1
        yield* (item.failed ? failure : success).write(conversationLine(conversation.success))
        yield* meta?.write(metaLine(exchanges)) ?? Effect.void
      }
      done += 1
      yield* progress(run, "generating", done, suitable.length)
    }),
  )
  // Each waits for the disk; together they wait once.
  yield* Effect.forEach([success, failure, successDebug, failedDebug], ({ commit }) => commit, together)
  return counts
})

type FaultsOf = (conversation: Conversation) => Effect.Effect<readonly string[]>

/** What a conversation is rejected for, by rules; nothing where it passes. */
const checks = ({ verify, system }: DatagenSettings, chunks: ChunkList): FaultsOf => {
  const { quotes, citations, round_trip } = verify
  const rules = conversationVerifier({ quotes, citations, failureBehavior: system.failure_behavior })
  const returns = round_trip ? roundTrip(findByBm25(chunks)) : undefined
  return (conversation) =>
    Effect.map(returns?.(conversation) ?? Effect.succeed([]), (findings) =>
      [...rules(conversation), ...findings].map(reasonOf),
    )
}

/** A conversation with what it is rejected for; the judge is asked about those that pass the rules. */
const checkedConversation = Effect.fnUntraced(function* (
  { models, options, settings }: Pipeline,
  item: Item,
  faultsOf: FaultsOf,
) {
  const generated = yield* generateConversation(models.large, item, options)
  const { conversation } = generated
  const nothing: readonly Exchange[] = []
  if (Result.isFailure(conversation)) return { ...generated, reasons: [], judged: nothing }
  const reasons = yield* faultsOf(conversation.success)
  if (reasons.length > 0 || !settings.verify.judge) return { ...generated, reasons, judged: nothing }
  const { findings, exchanges } = yield* judgeConversation(models.small, conversation.success, options)
  return { ...generated, reasons: findings.map(reasonOf), judged: exchanges }
})

const writeTokens = Effect.fnUntraced(function* ({ pipeline, folder, tokens }: Run) {
  for (const [role, file] of [
    ["small", datagenFiles.smallTokens],
    ["large", datagenFiles.largeTokens],
  ] as const) {
    const { name, costOf } = pipeline.models[role]
    const { inputTokens, outputTokens } = tokens[role]
    yield* writeJson(join(folder, file), {
      input_tokens: inputTokens,
      input_cost: costOf({ inputTokens, outputTokens: 0 }),
      output_tokens: outputTokens,
      output_cost: costOf({ inputTokens: 0, outputTokens }),
      name,
    })
  }
})
