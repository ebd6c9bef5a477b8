import { resolve } from "node:path"
import { filesIn } from "@tandem/files/node/FilesIn"
import type { RagDecoding } from "@tandem/generator"
import type { SearchedRun } from "@tandem/objectives/node/OpenSearch"
import { holdsFolder } from "@tandem/objectives/retrieval/ReadRetriever"
import type { Answer } from "@tandem/rag"
import { openRun } from "@tandem/rag/node/OpenRag"
import { runHalves } from "@tandem/rag/RunRecord"
import { InvalidRunError, type RunOptions } from "@tandem/runs"
import { readRecord } from "@tandem/runs/node/RunFiles"
import { runPaths } from "@tandem/runs/node/RunFolder"
import type { NodeProvider } from "@tandem/runtime"
import { layer } from "@tandem/runtime/node/NodeRuntime"
import { Effect, Schema } from "effect"

/** How answers are found; what is absent is as the run was trained. */
export interface AskOptions {
  /** Passages that are read for a question. */
  readonly k?: number
  readonly decoding?: RagDecoding
}

/** An answer, with where it came from. */
export interface JointAnswer {
  readonly answer: string
  /** log p(answer | question), nats, the passages summed out, and its mean a token. */
  readonly confidence: { readonly logprob: number; readonly perToken: number }
  /** The passages that were read, best first; `prior` before the answer is known, `weight` what they explain of it. */
  readonly sources: readonly {
    readonly id: string
    readonly title?: string
    readonly text: string
    readonly prior: number
    readonly weight: number
  }[]
  /** The answer's tokens, and for each what every source contributes. */
  readonly tokens: readonly { readonly text: string; readonly logprob: number; readonly weights: readonly number[] }[]
}

/**
 * Opens a finished run of a retriever and a reader, as `joint train` and `tune` make them, with its own index or another one
 * that its passage encoder made, and answers questions as long as the scope lives. So new knowledge needs a new index and no
 * training. A run without a reader ends in `InvalidRunError`.
 */
export const openAsk = Effect.fn("joint.openAsk")(function* (
  { run, store }: SearchedRun,
  { observe }: Pick<RunOptions, "observe">,
) {
  const { generator } = yield* runHalves(filesIn(resolve(run)))
  if (!(yield* holdsFolder(generator, "generator"))) {
    const { command } = yield* readRecord(runPaths(run).config, Schema.Struct({ command: Schema.String }))
    return yield* new InvalidRunError({
      message: `${run} holds no reader that answers from what it finds`,
      file: runPaths(run).config,
      field: "run",
      expected: "a run of tandem joint train, or of tandem tune with a reader",
      found: command,
    })
  }
  yield* observe({ event: "phase", name: "opening the run" })
  const rag = yield* openRun(run, store === undefined ? {} : { store })
  return (questions: readonly string[], asked: AskOptions = {}) =>
    Effect.map(rag.askBatch(questions, asked), (answers) => answers.map(jointAnswer))
})

const jointAnswer = ({ answer, confidence, sources, tokens }: Answer): JointAnswer => ({
  answer,
  confidence,
  sources: sources.map(({ score: _, ...source }) => source),
  tokens,
})

/** What `askJoint` is told. */
export interface AskJointSettings extends SearchedRun, AskOptions {
  readonly questions: readonly string[]
  readonly device: NodeProvider | "auto"
  readonly threads?: number
}

/** Asks a finished joint run once: see {@link openAsk}. */
export const askJoint = Effect.fn("joint.ask")((settings: AskJointSettings, options: Pick<RunOptions, "observe">) => {
  const { device, threads, questions, k, decoding } = settings
  const asked = { ...(k === undefined ? {} : { k }), ...(decoding === undefined ? {} : { decoding }) }
  return Effect.flatMap(openAsk(settings, options), (ask) => ask(questions, asked)).pipe(
    Effect.scoped,
    Effect.provide(layer({ device, ...(threads === undefined ? {} : { threads }) })),
  )
})
