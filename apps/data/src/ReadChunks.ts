import { existsSync } from "node:fs"
import { tmpdir } from "node:os"
import type { DatagenSettings, ObserveDatagen } from "@tandem/datagen"
import { openChunkFile } from "@tandem/datagen/node/ChunkFile"
import {
  approximateTokens,
  type CountTokens,
  countBy,
  type DocumentProblem,
  InvalidChunkingError,
  isProblem,
  makeChunker,
} from "@tandem/documents"
import { noDocuments, problemWarnings } from "@tandem/documents/node/DocumentPassages"
import { readDocuments } from "@tandem/documents/node/ReadDocuments"
import type { ModelError } from "@tandem/models"
import { modelFolder } from "@tandem/models/node/Hub"
import { loadTokenizer } from "@tandem/models/node/LoadTokenizer"
import { Effect, Stream } from "effect"

/**
 * The chunks of all documents of the input folder, in their order, on the disk as long as the scope lives: in the output folder
 * where there is one, else with temporary files. What cannot be read is warned about and left out; a folder
 * without any document that can be read ends in `NoDocuments`.
 */
export const readChunks = Effect.fnUntraced(function* (
  { path, system }: Pick<DatagenSettings, "path" | "system">,
  observe: ObserveDatagen,
) {
  const countTokens = yield* counterOf(system.tokenizer)
  const chunker = yield* Effect.try({
    try: () => makeChunker({ maxTokens: system.chunk_size, overlap: system.chunk_overlap, countTokens }),
    catch: (cause) => cause,
  }).pipe(Effect.catch((cause) => (cause instanceof InvalidChunkingError ? Effect.fail(cause) : Effect.die(cause))))
  const { add, chunks } = yield* openChunkFile(existsSync(path.output_dir) ? path.output_dir : tmpdir())
  const problems: DocumentProblem[] = []
  let documents = 0
  yield* Stream.runForEach(readDocuments(path.input_dir), (item) => {
    if (isProblem(item)) {
      problems.push(item)
      return Effect.void
    }
    documents += 1
    return Effect.andThen(
      Effect.forEach(chunker(item), add, { discard: true }),
      observe({ event: "phase", name: "reading documents", done: documents }),
    )
  })
  for (const message of problemWarnings(problems)) yield* observe({ event: "warning", message })
  if (chunks.length === 0) return yield* noDocuments(path.input_dir, problems)
  return chunks
})

/** Counts by the named tokenizer, else approximately. */
const counterOf = (tokenizer: string | undefined): Effect.Effect<CountTokens, ModelError> =>
  tokenizer === undefined
    ? Effect.succeed(approximateTokens)
    : Effect.map(Effect.flatMap(modelFolder(tokenizer), loadTokenizer), countBy)
