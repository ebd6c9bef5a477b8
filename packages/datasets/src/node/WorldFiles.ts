import { join } from "node:path"
import { Effect } from "effect"
import type { UnwritableFileError } from "../Errors.ts"
import { corpusLines, exampleLines } from "../JsonLines.ts"
import type { World } from "../World.ts"
import { writeText } from "./Write.ts"

/** The files of a world in a folder. */
export interface WorldFiles {
  readonly corpus: string
  readonly train: string
  readonly dev: string
  readonly world: string
}

/**
 * Writes a world into a folder: `corpus.jsonl`, `train.jsonl`, `dev.jsonl`, and `world.json` with its seed, its counts
 * and its relations. The same world gives the same bytes.
 *
 * @example
 * ```ts
 * import { makeWorld } from "@tandem/datasets"
 * import { writeWorld } from "@tandem/datasets/node/WorldFiles"
 * import { Effect } from "effect"
 *
 * const files = await Effect.runPromise(writeWorld("world", makeWorld({ seed: 1 })))
 * console.log(files.corpus, files.train, files.dev)
 * ```
 */
export const writeWorld = Effect.fn("datasets.writeWorld")(function* (
  folder: string,
  { seed, passages, train, dev, statistics, relations }: World,
): Effect.fn.Return<WorldFiles, UnwritableFileError> {
  const files: WorldFiles = {
    corpus: join(folder, "corpus.jsonl"),
    train: join(folder, "train.jsonl"),
    dev: join(folder, "dev.jsonl"),
    world: join(folder, "world.json"),
  }
  yield* writeText(files.corpus, corpusLines(passages))
  yield* writeText(files.train, exampleLines(train))
  yield* writeText(files.dev, exampleLines(dev))
  yield* writeText(files.world, [`${JSON.stringify({ format: 1, seed, statistics, relations }, undefined, 2)}\n`])
  return files
})
