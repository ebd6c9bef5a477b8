import { basename } from "node:path"
import { Effect } from "effect"
import { chatRows } from "../Chat.ts"
import type { DataWarning } from "../DataWarning.ts"
import type { DatasetError } from "../Errors.ts"
import type { Format } from "../Format.ts"
import { collectInstructions, type InstructionData, type InstructionStatistics } from "../InstructionData.ts"
import { type InstructionRow, instructionOf } from "../InstructionExample.ts"
import { type InstructionMix, type MixedSet, type MixOptions, mixInstructions } from "../InstructionMix.ts"
import { isFields, isGiven } from "../internal/Described.ts"
import { attempt } from "../internal/node/Attempt.ts"
import { recognise, tableOf } from "../internal/node/Recognise.ts"
import { examplesOf } from "../internal/node/Rows.ts"
import { exampleRows } from "../JsonLines.ts"
import { segmentRows } from "../Segments.ts"
import type { ExampleRow, TableRow } from "../Source.ts"
import { type InstructionTemplate, templateFields, templateRows } from "../Template.ts"

export interface InstructionOptions {
  /** How rows become questions and answers, for tables that are in no known format. */
  readonly template?: InstructionTemplate
  /** The format, where recognising it by content is not wanted; without effect beside a template. */
  readonly format?: Format
}

/**
 * Reads examples for a generator: conversations (OpenAI's `messages`), texts in segments (Axolotl's `input_output`), any
 * table by a template, or the questions and answers of any format of examples, whose passages are left behind.
 *
 * @example
 * ```ts
 * import { writeFile } from "node:fs/promises"
 * import { readInstructions } from "@tandem/datasets/node/Instructions"
 * import { Effect } from "effect"
 *
 * await writeFile("alpaca.jsonl", '{"instruction": "Who flew first?", "input": "", "output": "The Wright brothers."}\n')
 * const template = { query: "{instruction}\n{input}", response: "{output}" }
 * const { examples } = await Effect.runPromise(readInstructions("alpaca.jsonl", { template }))
 * console.log(examples[0])
 * ```
 */
export const readInstructions = Effect.fn("datasets.readInstructions")(function* (
  files: string | readonly string[],
  options: InstructionOptions = {},
): Effect.fn.Return<InstructionData, DatasetError> {
  return yield* attempt((signal) => collectInstructions(instructionRows([files].flat(), options, signal), files))
})

/** An instruction set in files, and how much of a mixture it is. */
export type InstructionFiles = InstructionOptions & {
  readonly files: string | readonly string[]
  /** Default: the first file's name without its ending. */
  readonly name?: string
  /** Above 0; rates are divided by their sum. */
  readonly rate: number
}

export type MixedInstructions = Omit<InstructionMix, "sets"> & {
  readonly sets: readonly (MixedSet & {
    readonly statistics: InstructionStatistics
    readonly warnings: readonly DataWarning[]
  })[]
}

/** Reads several instruction sets and draws from them ({@link mixInstructions}). */
export const readInstructionSets = Effect.fn("datasets.readInstructionSets")(function* (
  sets: readonly InstructionFiles[],
  options: MixOptions,
): Effect.fn.Return<MixedInstructions, DatasetError> {
  const read = yield* Effect.forEach(sets, ({ files, name, rate, ...how }) =>
    Effect.map(readInstructions(files, how), (data) => ({ ...data, name: name ?? nameOf(files), rate })),
  )
  const mix = mixInstructions(read, options)
  return {
    ...mix,
    sets: mix.sets.map((set, at) => ({ ...set, statistics: read[at]!.statistics, warnings: read[at]!.warnings })),
  }
})

const nameOf = (files: string | readonly string[]): string => basename([files].flat()[0] ?? "").replace(/\..*$/, "")

/**
 * The rows of {@link readInstructions} one after another, those without anything to train on, too. Throws what that fails
 * with.
 */
export async function* instructionRows(
  files: readonly string[],
  { template, format }: InstructionOptions = {},
  signal: AbortSignal = new AbortController().signal,
): AsyncGenerator<InstructionRow> {
  for (const file of files) {
    if (template !== undefined)
      yield* templateRows(await tableOf(file, templateFields(template), signal), file, template)
    else yield* knownRows(file, format, signal)
  }
}

async function* knownRows(
  file: string,
  format: Format | undefined,
  signal: AbortSignal,
): AsyncGenerator<InstructionRow> {
  const recognised = await recognise(file, format, signal)
  switch (recognised.found) {
    case "chat":
      return yield* chatRows(recognised.rows(), file)
    case "segments":
      return yield* segmentRows(recognised.rows(), file)
    case "jsonl":
      return yield* conversations(exampleRows(answered(recognised.rows()), file))
    default:
      return yield* conversations((await examplesOf(recognised, file, undefined, signal)).examples)
  }
}

/** Rows whose column `answer`, to a retriever the passage, is what the model learns to say. */
async function* answered(rows: AsyncIterable<TableRow>): AsyncGenerator<TableRow> {
  for await (const { value, line } of rows) {
    const isAnswer =
      isFields(value) &&
      typeof value["answer"] === "string" &&
      !["answers", "response"].some((name) => isGiven(value[name]))
    yield { line, value: isAnswer ? { ...value, response: value["answer"] } : value }
  }
}

async function* conversations(rows: AsyncIterable<ExampleRow>): AsyncGenerator<InstructionRow> {
  for await (const { example, file, line, remarks = [] } of rows)
    yield { file, line, example: instructionOf(example), remarks }
}
