import { join } from "node:path"
import { openModels } from "@tandem/data/OpenModels"
import { type DatagenSettings, filterChunk, type WrittenQuestion, writeQuestions } from "@tandem/datagen"
import { makePipeline, resultsFile } from "@tandem/datagen/node/Pipeline"
import { openSqliteResults } from "@tandem/datagen/node/SqliteResults"
import type { Chunk } from "@tandem/documents"
import type { RunOptions } from "@tandem/runs"
import { Effect, Result, Stream } from "effect"

export interface ModelQuestionsOptions extends Pick<RunOptions, "observe"> {
  /** Most questions of a chunk. */
  readonly perChunk: number
  /** Whether answers are written beside them; false where absent. */
  readonly answers?: boolean
}

/**
 * Has the large model of a data pipeline write questions on chunks, after its small one has said which are fit for them;
 * none of other chunks. Replies are kept in `results.sqlite` of the output folder: what is paid for is never asked again.
 */
export const modelQuestions = Effect.fn("tune.modelQuestions")(function* (
  settings: DatagenSettings,
  chunks: readonly Chunk[],
  { observe, perChunk, answers = false }: ModelQuestionsOptions,
) {
  const results = yield* openSqliteResults(join(settings.path.output_dir, resultsFile))
  const { models, options, window } = yield* makePipeline(settings, yield* openModels(settings), results)
  const questions = new Map<string, readonly WrittenQuestion[]>()
  const problems = new Map<string, number>()
  const asked = Stream.fromIterable(chunks).pipe(
    Stream.mapEffect(
      (chunk) =>
        Effect.gen(function* () {
          const { verdict } = settings.skip.skip_filter_chunks
            ? { verdict: Result.succeed({ suitable: true }) }
            : yield* filterChunk(models.small, chunk, options)
          if (Result.isFailure(verdict)) return { chunk, questions: Result.fail(verdict.failure) }
          if (!verdict.success.suitable) return { chunk, questions: Result.succeed([]) }
          return yield* writeQuestions(models.large, chunk, { ...options, count: perChunk, answers })
        }),
      { concurrency: window },
    ),
  )
  let done = 0
  yield* Stream.runForEach(asked, ({ chunk, questions: found }) => {
    if (Result.isSuccess(found)) questions.set(chunk.id, found.success)
    else problems.set(found.failure, (problems.get(found.failure) ?? 0) + 1)
    done += 1
    return observe({ event: "phase", name: "asking for questions", done, total: chunks.length })
  })
  for (const [problem, count] of problems) {
    yield* observe({ event: "warning", message: `no questions on ${count} passages: ${problem}` })
  }
  return questions
}, Effect.scoped)
