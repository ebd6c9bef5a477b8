import type { Chunk } from "@tandem/documents"
import { Random } from "@tandem/random"
import { Effect, Stream } from "effect"
import type { ChunkList } from "../ChunkList.ts"
import { TooFewChunks } from "../Errors.ts"
import type { Item } from "../Item.ts"
import { drawn, hardCandidates, type Lookalikes, type Neighbours, sameDocument } from "./Candidates.ts"
import { type Leaks, makeLeaks } from "./Leaks.ts"

export interface SimulateOptions {
  readonly seed: number
  /** Probability that retrieval fails; 0.4 where absent. */
  readonly failureShare?: number
  /** Most chunks that are shown; each number up to it is as likely as the others. 3 where absent. */
  readonly maxChunks?: number
  /** Distractors are drawn, or look like the true chunk; `random` where absent. */
  readonly mode?: "random" | "hard"
  /** Nearest chunks by vectors, for `hard`. */
  readonly neighbours?: Neighbours
  /** What happens where fewer chunks are left than are to be shown; `error` where absent. */
  readonly tooFew?: "error" | "fewer"
  /** Share of successful items whose questions need several chunks; 0 where absent. */
  readonly multiChunkShare?: number
  /** Answers to questions on a chunk, where they are known: no failed context holds one. */
  readonly answersOf?: (chunk: Chunk) => readonly string[]
}

/**
 * Simulated retrieval: for each chunk an item, in order, that shows the chunk among distractors, or only unrelated chunks.
 * In the failed case nothing is shown that leaks: near duplicates of the true chunk, chunks that overlap with it or stand
 * next to it, chunks that hold an answer. In neither case is a duplicate of the true chunk a distractor.
 *
 * What is drawn for a chunk depends on the seed, its id and the chunks alone. Where too few chunks are left it ends in
 * `TooFewChunks`; with `fewer` it does so only where a failed context would be empty.
 *
 * @example
 * ```ts
 * import { simulateRetrieval } from "@tandem/datagen"
 * import { Effect, Stream } from "effect"
 *
 * const texts = ["The river is long.", "Snow falls on hills.", "Ships sail to islands."]
 * const chunks = texts.map((text, index) => ({
 *   ...{ id: `c${index}`, source: `${index}.txt`, document: `${index}` },
 *   ...{ index: 0, text, start: 0, end: text.length },
 * }))
 * const items = await Effect.runPromise(Stream.runCollect(simulateRetrieval(chunks, { seed: 7, maxChunks: 2 })))
 * for (const { chunk, failed, shown } of items) console.log(chunk.id, failed, shown.map(({ id }) => id))
 * ```
 */
export const simulateRetrieval = (chunks: ChunkList, options: SimulateOptions): Stream.Stream<Item, TooFewChunks> =>
  Stream.suspend(() => {
    const simulation: Simulation = {
      chunks,
      options,
      leaks: makeLeaks(),
      hard: options.mode === "hard" ? hardCandidates(chunks, options.neighbours) : () => [],
      near: sameDocument(chunks),
    }
    return Stream.fromIterable(chunks).pipe(Stream.mapEffect((chunk) => simulateOne(simulation, chunk)))
  })

interface Simulation {
  readonly chunks: ChunkList
  readonly options: SimulateOptions
  readonly leaks: Leaks
  readonly hard: Lookalikes
  readonly near: Lookalikes
}

const simulateOne = (simulation: Simulation, chunk: Chunk): Effect.Effect<Item, TooFewChunks> => {
  const { seed, failureShare = 0.4, maxChunks = 3, multiChunkShare = 0, tooFew = "error" } = simulation.options
  const random = Random.fromSeed(JSON.stringify([seed, chunk.id]))
  const failed = random.chance(failureShare)
  const wanted = 1 + random.integer(maxChunks)
  const several = random.chance(multiChunkShare) && !failed ? severalOf(simulation, chunk, random) : [chunk]
  const first = failed ? [] : several
  const needed = Math.max(wanted, first.length)
  const distractors = distractorsOf(simulation, { chunk, failed, first, count: needed - first.length, random })
  const shown = random.shuffle([...first, ...distractors])
  if (shown.length < needed && (tooFew === "error" || shown.length === 0)) {
    return Effect.fail(
      new TooFewChunks({
        message: `too few chunks are left to show beside one of ${chunk.source}`,
        file: chunk.source,
        expected: `${needed}${failed ? " that do not leak what it says" : ""}`,
        found: `${shown.length} of ${simulation.chunks.length}`,
        hint: "give more documents, smaller chunks or a smaller `rag_max_chunks`, or let `too_few_chunks` be fewer",
      }),
    )
  }
  return Effect.succeed({
    key: chunk.id,
    chunk,
    shown,
    failed,
    ...(several.length > 1 ? { multi: several } : {}),
  })
}

/** The true chunk with one or two that are related to it: of its document, else those that look like it. */
const severalOf = ({ near, hard, leaks }: Simulation, chunk: Chunk, random: Random): readonly Chunk[] => {
  const related = [...near(chunk), ...hard(chunk)].filter((other) => leaks.alike(chunk, other) === undefined)
  const nearest = [...new Map(related.map((other) => [other.id, other])).values()].slice(0, 4)
  return [chunk, ...random.sample(nearest, 1 + random.integer(2))]
}

interface Place {
  readonly chunk: Chunk
  readonly failed: boolean
  readonly first: readonly Chunk[]
  readonly count: number
  readonly random: Random
}

/** As many chunks as are asked for, or as there are; of those that look alike first, where any are given. */
const distractorsOf = (simulation: Simulation, { chunk, failed, first, count, random }: Place): readonly Chunk[] => {
  const { chunks, hard, leaks, options } = simulation
  const answers = failed ? (options.answersOf?.(chunk) ?? []) : []
  const taken: Chunk[] = []
  const refused = (other: Chunk): boolean =>
    [...first, ...taken].some(({ id, text }) => id === other.id || text === other.text) ||
    (failed ? leaks.leak(chunk, other, answers) : leaks.alike(chunk, other)) !== undefined
  for (const pool of [hard(chunk), chunks]) {
    for (const other of drawn(pool, random)) {
      if (taken.length >= count) return taken
      if (!refused(other)) taken.push(other)
    }
  }
  return taken
}
