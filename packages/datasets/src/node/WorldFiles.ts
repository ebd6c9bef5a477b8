import { join } from "node:path"
import { Effect } from "effect"
import type { UnwritableFileError } from "../Errors.ts"
import type { ForeignWorld, Lesson } from "../ForeignWorld.ts"
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

/** The files of a foreign world in a folder. */
export interface ForeignWorldFiles extends WorldFiles {
  /** Lessons of the retriever and of the reader, each with its passage. */
  readonly retriever: string
  readonly reader: string
  /** What prompts are made by: question, passage, answer, and no word beside them. */
  readonly template: string
}

/**
 * Writes a foreign world into a folder: `corpus.jsonl`, `train.jsonl`, `dev.jsonl`, `retriever.jsonl` and `reader.jsonl`
 * with the lessons, `template.txt` for prompts, and `world.json` with its seed and its counts. The same world gives the same bytes.
 *
 * @example
 * ```ts
 * import { makeForeignWorld } from "@tandem/datasets"
 * import { writeForeignWorld } from "@tandem/datasets/node/WorldFiles"
 * import { Effect } from "effect"
 *
 * const files = await Effect.runPromise(writeForeignWorld("world", makeForeignWorld({ seed: 1 })))
 * console.log(files.corpus, files.train, files.dev, files.retriever, files.reader)
 * ```
 */
export const writeForeignWorld = Effect.fn("datasets.writeForeignWorld")(function* (
  folder: string,
  { seed, passages, train, dev, lessons, statistics }: ForeignWorld,
): Effect.fn.Return<ForeignWorldFiles, UnwritableFileError> {
  const files: ForeignWorldFiles = {
    corpus: join(folder, "corpus.jsonl"),
    train: join(folder, "train.jsonl"),
    dev: join(folder, "dev.jsonl"),
    retriever: join(folder, "retriever.jsonl"),
    reader: join(folder, "reader.jsonl"),
    template: join(folder, "template.txt"),
    world: join(folder, "world.json"),
  }
  yield* writeText(files.corpus, corpusLines(passages))
  yield* writeText(files.train, exampleLines(train))
  yield* writeText(files.dev, exampleLines(dev))
  yield* writeText(files.retriever, lessonLines(lessons.retriever))
  yield* writeText(files.reader, lessonLines(lessons.reader))
  yield* writeText(files.template, ["{query} {context} {response}"])
  yield* writeText(files.world, [`${JSON.stringify({ format: 1, seed, statistics }, undefined, 2)}\n`])
  return files
})

const lessonLines = (lessons: readonly Lesson[]): readonly string[] =>
  lessons.map((lesson) => `${JSON.stringify(lesson)}\n`)
