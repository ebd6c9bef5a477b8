import { existsSync, promises as fs } from "node:fs"
import { basename, dirname, resolve } from "node:path"
import { type DatasetError, formats, type InstructionExample, instructionFormats } from "@tandem/datasets"
import { readInstructionSets, readInstructions } from "@tandem/datasets/node/Instructions"
import { type InvalidRunError, type RunFolderError, SettingsError } from "@tandem/runs"
import { onDisk, readJson } from "@tandem/runs/node/RunFiles"
import { count, positive } from "@tandem/runs/Setting"
import { Effect, Schema } from "effect"

/** What a file of instruction sets holds: docs/data-layouts.md. */
const SetsFile = Schema.Struct({
  sets: Schema.NonEmptyArray(
    Schema.Struct({
      files: Schema.Union([Schema.String, Schema.NonEmptyArray(Schema.String)]),
      rate: Schema.optionalKey(positive),
      name: Schema.optionalKey(Schema.String),
      template: Schema.optionalKey(Schema.Struct({ query: Schema.String, response: Schema.String })),
      format: Schema.optionalKey(Schema.Literals([...formats, ...instructionFormats])),
      /** Whether its questions are shown passages that are found for them; without, its texts stand alone. */
      passages: Schema.optionalKey(Schema.Boolean),
    }),
  ),
  count: Schema.optionalKey(count),
})

/** An instruction set, and what was drawn of it. */
export interface DrawnSet {
  readonly name: string
  readonly examples: number
  readonly drawn: number
  /** Whether its questions are shown passages. */
  readonly passages: boolean
}

/** Instructions that were read. */
export interface Instructions {
  /** Those that stand alone. */
  readonly texts: readonly InstructionExample[]
  /** Those whose questions are shown passages. */
  readonly asked: readonly InstructionExample[]
  readonly sets: readonly DrawnSet[]
  readonly warnings: readonly string[]
  /** All files that were read, those that a file of sets names among them. */
  readonly files: readonly string[]
}

/** Whether a file says which instruction sets are mixed, and how: a JSON object with `sets`. */
export const isSetsFile = (file: string): Effect.Effect<boolean, RunFolderError> =>
  onDisk(file, async () => {
    if (!/\.json$/i.test(file) || !existsSync(file) || !(await fs.stat(file)).isFile()) return false
    const handle = await fs.open(file)
    try {
      const { buffer, bytesRead } = await handle.read({ buffer: Buffer.alloc(256), position: 0 })
      return /^\s*\{\s*"(?:sets|count)"\s*:/.test(buffer.toString("utf8", 0, bytesRead))
    } finally {
      await handle.close()
    }
  })

/**
 * The instruction sets that a file names, mixed by their rates: examples are drawn as `mixInstructions` does it, by the seed.
 * A file that says nothing of the kind, a name twice, and a template that is none end in `SettingsError`.
 */
export const readSetsFile = Effect.fnUntraced(function* (
  file: string,
  seed: number,
): Effect.fn.Return<Instructions, DatasetError | InvalidRunError | RunFolderError | SettingsError> {
  const content = yield* readJson(file)
  const { sets, count: draws } = yield* Effect.mapError(
    Schema.decodeUnknownEffect(SetsFile)(content, { onExcessProperty: "error" }),
    ({ message }) => unusable(file, message),
  )
  const named = sets.map(({ files, name, rate = 1, ...how }) => {
    const paths = [files].flat().map((path) => resolve(dirname(file), path))
    return { ...how, files: paths, rate, name: name ?? basename(paths[0] ?? "").replace(/\..*$/, "") }
  })
  const options = { seed, ...(draws === undefined ? {} : { count: draws }) }
  const mixed = yield* Effect.catchDefect(readInstructionSets(named, options), (defect) =>
    defect instanceof RangeError ? Effect.fail(unusable(file, defect.message)) : Effect.die(defect),
  )
  const withPassages = new Set(named.filter(({ passages }) => passages === true).map(({ name }) => name))
  const isAsked = ({ set = "" }: InstructionExample): boolean => withPassages.has(set)
  return {
    texts: mixed.examples.filter((example) => !isAsked(example)),
    asked: mixed.examples.filter(isAsked),
    sets: mixed.sets.map(({ name, examples, drawn }) => ({ name, examples, drawn, passages: withPassages.has(name) })),
    warnings: mixed.sets.flatMap(({ name, warnings }) => warnings.map(({ message }) => `${name}: ${message}`)),
    files: [file, ...named.flatMap(({ files }) => files)],
  }
})

/** Conversations and texts in segments, each once. */
export const readPlainInstructions = Effect.fnUntraced(function* (
  files: readonly string[],
  format: (typeof instructionFormats)[number] | undefined,
): Effect.fn.Return<Instructions, DatasetError> {
  const { examples, warnings } = yield* readInstructions(files, format === undefined ? {} : { format })
  return {
    texts: examples,
    asked: [],
    sets: [
      {
        name: files.map((file) => basename(file)).join(", "),
        examples: examples.length,
        drawn: examples.length,
        passages: false,
      },
    ],
    warnings: warnings.map(({ message }) => message),
    files,
  }
})

const unusable = (file: string, reason: string): SettingsError =>
  new SettingsError({
    message: `the instruction sets of ${file} cannot be used: ${reason}`,
    file,
    field: "data",
    expected:
      '{"sets": [{"files": …, "rate"?, "name"?, "template"?: {"query", "response"}, "format"?, "passages"?}], "count"?}',
  })
