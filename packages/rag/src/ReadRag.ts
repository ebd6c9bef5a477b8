import { filesBelow, type ReadFiles } from "@tandem/files"
import { type AskedAs, readGenerator } from "@tandem/objectives/generator/ReadGenerator"
import { decodingOf } from "@tandem/objectives/joint/EvaluateRag"
import { checkHasRetriever, holdsFolder } from "@tandem/objectives/retrieval/ReadRetriever"
import { type ReadSearchedOptions, readSearched, readSearchedLater } from "@tandem/objectives/retrieval/ReadSearched"
import { Effect } from "effect"
import type { KnowledgeSource } from "./KnowledgeSource.ts"
import { makeRag } from "./MakeRag.ts"
import type { Knowledge, Reader } from "./RagParts.ts"
import type { AskDecoding } from "./RagSystem.ts"
import { runConfig, runHalves } from "./RunRecord.ts"

/** What of a run is replaced. */
export interface ReadRagOptions extends AskedAs {
  /** Another index that the run's passage encoder made. */
  readonly store?: ReadFiles
  /** A run whose retriever and index are searched, where the run itself has none (`ralt train`). */
  readonly retriever?: ReadFiles
  /** Passages from elsewhere, without encoding. */
  readonly source?: KnowledgeSource
  /** Another language model: the folder of a run that trained one, or of a model. */
  readonly generator?: ReadFiles
  /** Passages that a question is answered from; as the run was trained where absent, else 5. */
  readonly k?: number
  /** As the run was trained where absent, else from one prompt of all passages. */
  readonly decoding?: AskDecoding
  /** How an index is read from its folder; as a whole where absent. */
  readonly folderOf?: ReadSearchedOptions["folderOf"]
  /**
   * `later` reads the index when it is first searched, so that texts are embedded without it: what is wrong with it ends the
   * searches in `StoreAccess` then. `now` where absent.
   */
  readonly index?: "now" | "later"
}

/** Passages of a question where a run does not say how many. */
const usualPassages = 5

/**
 * The system of a finished run, wherever its files lie, alive as long as the scope: what the run has of a retriever with its
 * index and a generator. A run of `tandem dpr train` finds and embeds; one of `joint`, `ralt` or `dual` answers besides, a
 * generator that was trained alone from the passages of `retriever` or `source`.
 *
 * A run that is missing, damaged or of another format ends in `InvalidRun`, a damaged index in `CorruptStore`, and one that
 * another encoder made in `StoreMismatch`.
 */
export const readRag = Effect.fn("rag.read")(function* (run: ReadFiles, options: ReadRagOptions = {}) {
  const halves = yield* runHalves(run)
  const trained = (yield* runConfig(halves.generator)).generator ?? {}
  const { knowledge, temperature } = yield* readKnowledge(options.retriever ?? halves.retriever, options)
  const reader = yield* readReader(halves.generator, trained, options)
  return yield* makeRag({
    name: nameOf(run),
    k: options.k ?? trained.kEval ?? usualPassages,
    temperature,
    knowledge,
    ...(reader === undefined ? {} : { reader }),
  })
})

/** What a system that is opened can end in. */
export type ReadRagError = Effect.Error<ReturnType<typeof readRag>>

type Trained = NonNullable<Effect.Success<ReturnType<typeof runConfig>>["generator"]>

const readKnowledge = Effect.fnUntraced(function* (
  run: ReadFiles,
  { source, store, folderOf, index }: Pick<ReadRagOptions, "source" | "store" | "folderOf" | "index">,
) {
  if (source !== undefined) return { knowledge: source satisfies Knowledge, temperature: 1 }
  yield* runConfig(run)
  yield* checkHasRetriever(run)
  const where = {
    ...(store === undefined ? {} : { store }),
    ...(folderOf === undefined ? {} : { folderOf }),
  }
  const searched = index === "later" ? yield* readSearchedLater(run, where) : yield* readSearched(run, where)
  const { towers, retrieval } = searched
  const knowledge: Knowledge = {
    model: nameOf(run),
    ...towers,
    retrieval,
    store: searched.store,
    name: nameOf(store ?? run),
  }
  return { knowledge, temperature: retrieval.temperature }
})

const readReader = Effect.fnUntraced(function* (run: ReadFiles, trained: Trained, options: ReadRagOptions) {
  const { template, maxPrompt, maxAnswer, decoding, generator = run } = options
  const isRun = yield* holdsFolder(generator, "generator")
  if (!isRun && options.generator === undefined) return undefined
  const read = yield* readGenerator(isRun ? filesBelow(generator, "generator") : generator, {
    isRun,
    ...(template === undefined ? {} : { template }),
    ...(maxPrompt === undefined ? {} : { maxPrompt }),
    ...(maxAnswer === undefined ? {} : { maxAnswer }),
  })
  const { loss, renewEvery } = trained
  const reader: Reader = {
    name: nameOf(generator),
    ...read,
    decoding: decoding ?? (loss === undefined ? { kind: "together" } : decodingOf(loss)),
    ...(typeof renewEvery === "number" ? { renewEvery } : {}),
  }
  return reader
})

/** The last part of where a folder lies. */
const nameOf = ({ location }: ReadFiles): string =>
  location
    .split(/[/\\]/)
    .filter((part) => part !== "")
    .at(-1) ?? "run"
