import { openWhole } from "@tandem/files/node/WholeFile"
import { writeWhole } from "@tandem/files/node/WriteWhole"
import { Effect, type Scope } from "effect"
import { stringify } from "yaml"
import { OutputFolderFailed } from "../Errors.ts"
import type { Exchange } from "../model/Model.ts"

/** The files of a pipeline, below its output folder. */
export const datagenFiles = {
  prepared: "rag_prepared_data.jsonl",
  preparedBy: "rag_prepared_data.json",
  meta: "meta_dataset.jsonl",
  smallTokens: "small_model_tokens.json",
  largeTokens: "large_model_tokens.json",
  filterDebug: "debug_outputs/rag_convs.yaml",
  successDebug: "debug_outputs/rag_success_convs.yaml",
  failedDebug: "debug_outputs/rag_failed_convs.yaml",
} as const

/** A file that is written as a stage goes on, and there when the stage is done. */
export interface OutputFile {
  readonly write: (text: string) => Effect.Effect<void, OutputFolderFailed>
  readonly commit: Effect.Effect<void, OutputFolderFailed>
}

/** Opens a file to be written; without `commit` in the scope's life nothing is left of it. */
export const openOutput = (file: string): Effect.Effect<OutputFile, OutputFolderFailed, Scope.Scope> =>
  Effect.acquireRelease(
    onDisk(file, () => openWhole(file)),
    (whole) => Effect.promise(() => whole.abandon()),
  ).pipe(
    Effect.map((whole) => ({
      write: (text: string) => onDisk(file, () => whole.write(text)),
      commit: onDisk(file, () => whole.commit()),
    })),
  )

/** Writes a small file of JSON. */
export const writeJson = (file: string, value: unknown): Effect.Effect<void, OutputFolderFailed> =>
  onDisk(file, () => writeWhole(file, `${JSON.stringify(value, null, 2)}\n`))

/** Runs what touches the output folder. */
export const onDisk = <A>(file: string, run: () => Promise<A>): Effect.Effect<A, OutputFolderFailed> =>
  Effect.tryPromise({
    try: run,
    catch: (cause) =>
      new OutputFolderFailed({
        message: "the output folder cannot be used",
        file,
        field: "path.output_dir",
        found: cause instanceof Error ? cause.message : String(cause),
      }),
  })

/** What was said about one chunk or item, an element of a list in YAML. */
export const debugEntry = (key: string, source: string, exchanges: readonly Exchange[], outcome: string): string =>
  stringify([
    {
      key,
      source,
      outcome,
      exchanges: exchanges.map(({ messages, reply, thoughts, finish }) => ({
        messages,
        ...(thoughts === undefined ? {} : { thoughts }),
        reply,
        finish,
      })),
    },
  ])

/** A prompt with the reply that was used, as a row that can be trained on. */
export const metaLine = (exchanges: readonly Exchange[]): string => {
  const last = exchanges.at(-1)
  if (last === undefined) return ""
  return `${JSON.stringify({ messages: [...last.messages, { role: "assistant", content: last.reply }] })}\n`
}

/** A line of JSON Lines. */
export const jsonLine = (value: unknown): string => `${JSON.stringify(value)}\n`
