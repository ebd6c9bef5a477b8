import { type LintReport, lintRows } from "@tandem/datagen"
import type { DatasetError } from "@tandem/datasets"
import { instructionRows } from "@tandem/datasets/node/Instructions"
import type { InvalidTemplate } from "@tandem/generator"
import type { ModelError } from "@tandem/models"
import { modelFolder } from "@tandem/models/node/Hub"
import { loadTokenizer } from "@tandem/models/node/LoadTokenizer"
import { Effect } from "effect"
import { attempt } from "./Attempt.ts"

export interface LintDataSettings {
  /** Files of segments or conversations. */
  readonly data: readonly string[]
  /** Most tokens of a row. */
  readonly sequenceLength: number
  /** A folder with a tokenizer, or a hub id. */
  readonly tokenizer: string
}

/** Checks training rows as a trainer would read them; one row is in memory at a time. */
export const lintData = Effect.fn("data.lint")(function* ({
  data,
  sequenceLength,
  tokenizer,
}: LintDataSettings): Effect.fn.Return<LintReport, DatasetError | ModelError | InvalidTemplate> {
  const loaded = yield* loadTokenizer(yield* modelFolder(tokenizer))
  return yield* attempt(() => lintRows(instructionRows(data), { tokenizer: loaded, sequenceLength }))
})
