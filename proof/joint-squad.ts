// The real MiniLM and SmolLM2-135M-Instruct trained together on questions and answers of SQuAD, without a word on which
// passage answers; against both as they come, and against the same reader fine-tuned on the same pairs with what MiniLM finds.
// `npm run proof -- joint-squad [PAIRS QUESTIONS]`; $TANDEM_MODELS holds all-MiniLM-L6-v2 and SmolLM2-135M-Instruct, $TANDEM_DATA
// SQuAD. What was killed goes on where it was, from runs/; a system that proof/joint-squad.json holds is not trained again, and
// the reader alone not where ralt-squad has trained it.
import { mkdirSync } from "node:fs"
import { join } from "node:path"
import type { Example } from "@tandem/datasets"
import { readExamples } from "@tandem/datasets/node/Files"
import { pairedBootstrap } from "@tandem/evals"
import { makeLocalGenerator } from "@tandem/generator"
import { trainJoint } from "@tandem/joint"
import { jointTrainApp } from "@tandem/joint/TrainApp"
import type { LanguageModel } from "@tandem/models"
import { evaluateVariants, measuredAnswers } from "@tandem/objectives"
import { evaluateRag } from "@tandem/objectives/joint/EvaluateRag"
import { loadGenerator } from "@tandem/objectives/node/LoadGenerator"
import { openRetriever } from "@tandem/objectives/node/OpenRetriever"
import { searchedIndex } from "@tandem/objectives/node/SearchedIndex"
import { searchDev } from "@tandem/objectives/retrieval/SearchDev"
import { decodeTrainSettings } from "@tandem/runs"
import { layer } from "@tandem/runtime/node/NodeRuntime"
import { Effect } from "effect"
import type { ExperimentContext, ExperimentResult } from "../scripts/support/Experiment.ts"
import { folderOf } from "./support/DprProof.ts"
import { measuredInParts, type PerQuestion, packed, recordedSystems } from "./support/Pieces.ts"
import {
  isDone,
  type ReaderMaterial,
  readerMaterial,
  readerRun,
  readerSettings,
  squadFolder,
  told,
  trainSquadReader,
} from "./support/SquadReader.ts"

/** What the two are trained with together, beside the reader's settings. */
const joint = { loss: "rag-sequence", k: 3, kEval: 5, lr: { query: 1e-5, generator: readerSettings.lr } } as const

/** Questions that are asked without passages, with another question's and with the one that answers, too. */
const askedInAllWays = 100
const together = 25

const systems = ["before", "joint", "ralt"] as const
type System = (typeof systems)[number]

export async function run({ args, root, log, keep }: ExperimentContext): Promise<ExperimentResult> {
  const [pairs = 1000, questions = 300] = args.map(Number)
  const models = folderOf("TANDEM_MODELS", "SmolLM2-135M-Instruct")
  const base = join(models, "SmolLM2-135M-Instruct")
  const work = squadFolder(root, { pairs, questions })
  mkdirSync(work, { recursive: true })
  const squad = join(folderOf("TANDEM_DATA", "squad"), "squad")
  const settings = {
    retriever: "all-MiniLM-L6-v2 as it comes, exact search among all paragraphs of the set's own articles",
    reader: "SmolLM2-135M-Instruct, from weights of 4 bits (Q4_1) as fp32, with LoRA",
    data: "SQuAD v1.1, drawn from 44 training and 24 development articles; no passage labels in training",
    ...{ pairs, questions, askedInAllWays },
    ...readerSettings,
    ...joint,
    times: "of a machine that did other work as well: no measurement of speed",
  }
  const found = new Map(recordedSystems(join(root, "proof/joint-squad.json"), settings))
  const folders = { work, squad, encoder: join(models, "all-MiniLM-L6-v2"), generator: base }
  const material = await Effect.runPromise(readerMaterial(folders, { pairs, questions }, log))
  for (const system of systems) {
    if (found.has(system)) continue
    const out = join(work, "joint")
    if (system === "joint") await trainTogether(work, base, out, log)
    const reader = system === "ralt" ? await trainSquadReader(work, base, material, log) : out
    log(`measuring: ${system}`)
    const measured = { work, system, run: system === "before" ? undefined : reader, material, log }
    found.set(system, await Effect.runPromise(Effect.scoped(measure(measured)).pipe(Effect.provide(device))))
    await keep(resultOf(settings, found))
  }
  return resultOf(settings, found)
}

const device = layer({ device: "cpu", threads: readerSettings.threads })

async function trainTogether(work: string, base: string, out: string, log: (line: string) => void): Promise<void> {
  if (isDone(out)) return
  const files = { data: join(work, "train-pairs.jsonl"), corpus: join(work, "train-corpus.jsonl") }
  const { lora, ...shared } = readerRun(base, out)
  const given = { ...shared, ...files, ...joint, retriever: join(work, "retriever"), lora: { generator: lora } }
  const settings = decodeTrainSettings(jointTrainApp, given)
  await Effect.runPromise(Effect.flatMap(settings, (decoded) => trainJoint(decoded, { observe: told(log) })))
}

/** A system's figures on each evaluation question: of retrieval, and of answers. */
const measure = Effect.fnUntraced(function* ({
  work,
  system,
  run,
  material,
  log,
}: {
  readonly work: string
  readonly system: System
  /** Whose generator answers; the model as it comes where absent. */
  readonly run: string | undefined
  readonly material: ReaderMaterial
  readonly log: (line: string) => void
}) {
  const observe = () => Effect.void
  const { towers, retrieval } = yield* openRetriever(join(work, system === "joint" ? "joint" : "retriever"))
  const { data } = yield* Effect.map(
    readExamples(join(work, "dev-pairs.jsonl"), { corpus: join(work, "dev-corpus.jsonl") }),
    (read) => ({ data: read }),
  )
  // The passages' encoder stays as it is in all of them.
  const index = {
    towers: { kind: "untied", query: towers.query.encoder, passage: towers.passage.encoder },
    retrieval,
  } as const
  const store = yield* searchedIndex({ data: [] }, index, data.corpus, observe)
  const model: LanguageModel =
    run === undefined ? material.model : (yield* loadGenerator(run, { seed: 0, texts: () => [] })).model
  const reader = yield* makeLocalGenerator({ model })
  const context = yield* Effect.context<Effect.Services<ReturnType<typeof measurePart>>>()
  const measurePart = Effect.fnUntraced(function* (examples: readonly Example[], part: number) {
    const dev = { ...data, examples }
    const searched = yield* searchDev(towers.query, store, {
      ...{ dev, corpus: data.corpus, retrieval, k: joint.kEval, observe },
    })
    const rag = { questions: searched.questions, prompts: material.prompts, k: joint.kEval, written: examples.length }
    const { likelihoods, writing, answers } = yield* evaluateRag(
      reader,
      { ...rag, loss: joint.loss, temperature: retrieval.temperature },
      () => {},
    )
    const texts = Object.fromEntries([...answers].map(([id, { text }]) => [id, text.trim()]))
    const others =
      part * together < askedInAllWays
        ? yield* evaluateVariants(
            reader,
            { ...rag, k: 1, seed: 0, written: 0, variants: ["closedBook", "random", "gold"] },
            () => {},
          )
        : {}
    const retrieved = { likelihoods, written: texts, ...(writing === undefined ? {} : { writing }) }
    log(`${system}: ${part * together + examples.length} of ${data.examples.length} questions`)
    return { ...searched.perQuestion, ...measuredAnswers(examples.length, { ...others, retrieved }).perQuestion }
  })
  return yield* Effect.promise(() =>
    measuredInParts(join(work, `measured-${system}.jsonl`), data.examples, {
      size: together,
      measure: (some, part) => Effect.runPromise(Effect.provide(measurePart(some, part), context)),
    }),
  )
})

const figures = [
  "retrieved.nll",
  "retrieved.exactMatch",
  "retrieved.f1",
  "recall@1",
  "mrr@10",
  "closedBook.nll",
  "random.nll",
  "gold.nll",
]

const resultOf = (
  settings: Readonly<Record<string, unknown>>,
  found: ReadonlyMap<string, PerQuestion>,
): ExperimentResult => {
  const values = (system: System, name: string): readonly number[] => found.get(system)?.[name] ?? []
  const means = (system: System) =>
    Object.fromEntries(
      figures.flatMap((name) => {
        const row = values(system, name)
        return row.length === 0 ? [] : [[name, row.reduce((sum, value) => sum + value, 0) / row.length] as const]
      }),
    )
  /** Of the questions that both have. */
  const between = (a: readonly number[], b: readonly number[]) => {
    const count = Math.min(a.length, b.length)
    return count === 0 ? undefined : pairedBootstrap(a.slice(0, count), b.slice(0, count))
  }
  const over = (system: System) =>
    Object.fromEntries(
      figures.flatMap((name) => {
        const interval = between(values("joint", name), values(system, name))
        return interval === undefined ? [] : [[name, interval] as const]
      }),
    )
  const own = (name: string) => between(values("joint", "retrieved.nll"), values("joint", name))
  const [before, ralt] = [over("before"), over("ralt")]
  const holds: Record<string, boolean> = {}
  if (found.has("joint")) {
    holds["with what is found answers become likelier (95 %)"] = (before["retrieved.nll"]?.high ?? 0) < 0
    for (const name of ["retrieved.exactMatch", "retrieved.f1"])
      holds[`${name} rises (95 %)`] = (before[name]?.low ?? 0) > 0
    for (const name of ["closedBook.nll", "random.nll"])
      holds[`with what is found they are likelier than ${name} (95 %)`] = (own(name)?.high ?? 0) < 0
    holds["recall@1 or mrr@10 does not fall"] =
      Math.max(before["recall@1"]?.high ?? -1, before["mrr@10"]?.high ?? -1) >= 0
  }
  if (found.has("ralt"))
    for (const name of ["retrieved.exactMatch", "retrieved.f1"])
      holds[`${name} is at least that of the reader alone`] = (ralt[name]?.high ?? -1) >= 0
  return {
    settings,
    figures: {
      means: Object.fromEntries(systems.map((system) => [system, means(system)])),
      jointMinusBefore: before,
      jointMinusRalt: ralt,
      jointRetrievedMinusItsOwn: { closedBook: own("closedBook.nll"), random: own("random.nll") },
      perQuestion: Object.fromEntries([...found].map(([system, each]) => [system, packed(each)])),
    },
    holds,
  }
}
