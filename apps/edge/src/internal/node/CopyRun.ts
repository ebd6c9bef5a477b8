import { existsSync } from "node:fs"
import { writeFile } from "node:fs/promises"
import { join, resolve } from "node:path"
import { filesIn } from "@tandem/files/node/FilesIn"
import { checkHasRetriever, readRetriever } from "@tandem/objectives/retrieval/ReadRetriever"
import { encodingOf } from "@tandem/objectives/retrieval/RetrievalSettings"
import { openRun } from "@tandem/rag/node/OpenRag"
import { runHalves } from "@tandem/rag/RunRecord"
import { storeIdentity } from "@tandem/retriever"
import { InvalidRunError, RunFolderError } from "@tandem/runs/Errors"
import { readRecord } from "@tandem/runs/ReadRun"
import { Exact } from "@tandem/store"
import { nodeFolder } from "@tandem/store/node/StoreFolder"
import { Effect, Schema } from "effect"
import { copyModel, type ExportType } from "./CopyModel.ts"

/** Which run, and in which precision. */
export interface CopiedRun {
  readonly run: string
  readonly store?: string
  /** The run whose retriever and index are taken, where the run has none. */
  readonly retriever?: string
  readonly type: ExportType
}

/** What of `config.json` decides answers: the rest tells of the training, and of files of the machine that trained. */
const Kept = Schema.Struct({
  format: Schema.Literal(1),
  retriever: Schema.optionalKey(Schema.Record(Schema.String, Schema.Json)),
  generator: Schema.optionalKey(Schema.Record(Schema.String, Schema.Json)),
})

const ofRetriever = ["similarity", "temperature", "maxLength", "titles", "untied"]
const ofGenerator = ["kEval", "loss", "renewEvery"]

const pick = (from: Readonly<Record<string, Schema.Json>> = {}, names: readonly string[]) =>
  Object.fromEntries(names.flatMap((name) => (from[name] === undefined ? [] : [[name, from[name]]])))

/**
 * Copies what answers of a run into a folder: models in one precision, settings, and the index, which is given the identity of
 * the copied encoder. Its vectors stay those that the run's own encoder made. In the end the copy is opened as servers do.
 */
export const copyRun = Effect.fnUntraced(function* ({ run, store, retriever, type }: CopiedRun, to: string) {
  const halves = yield* runHalves(filesIn(resolve(run)))
  const searched =
    retriever === undefined ? halves.retriever : (yield* runHalves(filesIn(resolve(retriever)))).retriever
  yield* checkHasRetriever(searched)
  const found = yield* readRecord(searched, "config.json", Kept)
  const read = yield* readRecord(halves.generator, "config.json", Kept)
  const folders = [
    [searched.location, "retriever"],
    [searched.location, "passage-retriever"],
    [halves.generator.location, "generator"],
  ] as const
  for (const [from, part] of folders) {
    const folder = join(from, part)
    if (existsSync(folder)) yield* onDisk(to, () => copyModel(folder, join(to, part), type))
  }
  const config = {
    format: 1,
    command: "export",
    retriever: pick(found.retriever, ofRetriever),
    ...(existsSync(join(to, "generator")) ? { generator: pick(read.generator, ofGenerator) } : {}),
  }
  yield* onDisk(to, () => writeFile(join(to, "config.json"), `${JSON.stringify(config, undefined, 2)}\n`))
  const { towers, retrieval } = yield* readRetriever(filesIn(to))
  const identity = yield* storeIdentity({ passage: towers.passage, ...encodingOf(retrieval, "passage") })
  const contents = yield* Effect.flatMap(
    Exact.open(nodeFolder(store === undefined ? join(searched.location, "store") : resolve(store))),
    ({ contents }) => contents,
  )
  const copied = yield* Exact.make(identity)
  yield* copied.replace({ ...contents, identity })
  yield* copied.snapshot(nodeFolder(join(to, "store")))
  yield* Effect.scoped(openRun(to))
})

const onDisk = <A>(folder: string, body: () => Promise<A>): Effect.Effect<A, InvalidRunError | RunFolderError> =>
  Effect.tryPromise({
    try: body,
    catch: (cause) =>
      cause instanceof InvalidRunError
        ? cause
        : new RunFolderError({
            message: `cannot write the export: ${cause instanceof Error ? cause.message : String(cause)}`,
            file: folder,
          }),
  })
