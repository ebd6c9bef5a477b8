import { ignoredTitles } from "@tandem/datasets"
import type { Encoder } from "@tandem/models"
import {
  type DprBatch,
  dprObjective,
  measureRetrieval,
  type RetrievalFailure,
  type RetrievalSettings,
} from "@tandem/objectives"
import { baseModels } from "@tandem/objectives/node/BaseModels"
import { loadTowers, retrievalSettings } from "@tandem/objectives/node/LoadTowers"
import { retrieverFacts } from "@tandem/objectives/node/OpenRetriever"
import { type RetrieverCards, type SaveFailure, saveRetriever, writeCards } from "@tandem/objectives/node/SaveRetriever"
import { defaultTitles, encoderOf, fingerprint, type Towers, towerFrom } from "@tandem/retriever"
import type { RunOptions, Systems, TrainPlan } from "@tandem/runs"
import { trainRun } from "@tandem/runs/node/TrainRun"
import { Effect } from "effect"
import { type DprData, loadData, wholeCorpus } from "./DprData.ts"
import type { DprSettings } from "./Settings.ts"

/**
 * Trains a dense passage retriever as `tandem dpr train` does: reads data and model, measures BM25 and the untrained
 * encoder, trains, measures again, and leaves the run folder of docs/formats.md: weights, index, metrics and report.
 */
export const trainDpr = Effect.fn("dpr.train")((settings: DprSettings, options: RunOptions) =>
  trainRun({
    command: "dpr train",
    settings,
    options,
    prepare: prepare(settings, options),
    plan: (prepared) => Effect.succeed(planOf(settings, prepared, options)),
  }),
)

/** What a run starts from. */
interface Prepared {
  readonly data: DprData
  readonly towers: Towers
  readonly retrieval: RetrievalSettings
}

const prepare = Effect.fnUntraced(function* (settings: DprSettings, { observe }: RunOptions) {
  const phase = (name: string) => observe({ event: "phase", name })
  yield* phase("reading data")
  const data = yield* loadData(settings)
  yield* phase("loading the model")
  const towers = yield* loadTowers(settings, {
    seed: settings.seed,
    dropout: settings.dropout,
    texts: () => [
      ...[...data.train.corpus.values()].map(({ text }) => text),
      ...data.train.examples.map(({ query }) => query),
    ],
  })
  return { data, towers, retrieval: yield* retrievalSettings(settings, towers) } satisfies Prepared
})

/** What there is to say of an ONNX file that holds weights several times. */
const copiesIn = ({ source }: Encoder): readonly string[] => {
  const copies = source.kind === "onnx" ? [...source.tied] : []
  const [first] = copies
  if (first === undefined) return []
  const [name, weight] = first
  const equal = `${name} equals ${weight.name}${weight.transposed ? " transposed" : ""}`
  return [`${copies.length} of the model's weights are copies of others (${equal}): they are trained as one`]
}

const planOf = (
  settings: DprSettings,
  { data, towers, retrieval }: Prepared,
  { observe }: RunOptions,
): TrainPlan<DprBatch, DprBatch, RetrievalFailure | SaveFailure> => {
  const { train, dev, hardNegatives, smallestBatch } = data
  const { seed, batchSize, symmetric, dropout } = settings
  const batches = { data: train, retrieval, seed, batchSize, hardNegatives, smallestBatch }
  const objective = dprObjective(towers, { ...batches, symmetric, dropout })
  const query = encoderOf(towers, "query")
  const statistics = { train: train.statistics, dev: dev?.statistics ?? null }
  const titlesIgnored = settings.titles === undefined && defaultTitles(encoderOf(towers, "passage")) === "none"
  const encoders = new Set([query, encoderOf(towers, "passage")])
  const withoutDropout = dropout === "model" && [...encoders].some(({ source }) => source.kind === "onnx")
  const cards = (step: number, systems: Systems | undefined): RetrieverCards => ({
    run: settings.out,
    towers,
    retrieval,
    step,
    card: { bases: baseModels(settings), train: train.statistics, systems },
  })
  return {
    objective,
    example: objective.draft(0),
    measurement: dev && measureRetrieval({ dev, corpus: wholeCorpus(data), towers, retrieval, observe }),
    inputs: {
      files: [...settings.data, ...settings.dev, ...(settings.corpus === undefined ? [] : [settings.corpus])],
      models: Effect.gen(function* () {
        const queries = yield* fingerprint(towerFrom(towers, "query"))
        const passages = towers.kind === "untied" ? yield* fingerprint(towerFrom(towers, "passage")) : queries
        return { query: queries, passage: passages }
      }),
      resolved: { ...retrieval, prompts: query.prompts },
      incidental: ["noIndex"],
    },
    facts: { retriever: retrieverFacts(towers, retrieval), statistics },
    versions: { architecture: query.config.architecture },
    statistics,
    warnings: [
      ...data.warnings,
      ...(titlesIgnored ? ignoredTitles(train.corpus.values()).map(({ message }) => message) : []),
      ...[...encoders].flatMap(copiesIn),
      ...(withoutDropout ? ["a model is an ONNX file, which holds no dropout: it is trained without"] : []),
    ],
    save: (trained, step, systems) =>
      saveRetriever({
        ...cards(step, systems),
        trained,
        corpus: settings.noIndex ? undefined : wholeCorpus(data),
        observe,
      }),
    describe: (step, systems) => writeCards(cards(step, systems)),
  }
}
