import type { Interval } from "@tandem/evals"
import type { Section } from "../../src/Kinds.ts"
import type { Report } from "../../src/Report.ts"
import { configFacts } from "../../src/training/ConfigFacts.ts"
import { type Outcome, outcomeFigures, outcomeSentence } from "../../src/training/Outcome.ts"
import { rankedExamples } from "../../src/training/RankedExamples.ts"
import { trainingCurves } from "../../src/training/TrainingCurves.ts"
import { type TrainingRun, trainingReport } from "../../src/training/TrainingReport.ts"
import type { EvaluationRow, StepRow } from "../../src/training/TrainingRows.ts"

/** What a passage may hold and a page must not run. */
export const hostile = `</script><script>document.title = "owned"</script><img src=x onerror="document.title = 'owned'">`

const corpus: Readonly<Record<string, { readonly text: string; readonly title?: string }>> = {
  "ship-12-builder": {
    title: "Kitty Hawk",
    text: "The Wright brothers flew the Wright Flyer near Kitty Hawk on 17 December 1903, four flights in all, the longest of 59 seconds, before a gust of wind turned the machine over and ended the season.",
  },
  "town-3-founded": {
    title: "Dayton, Ohio",
    text: "Dayton was the brothers' home. Their bicycle shop paid for the experiments; the wind tunnel that they built there in 1901 corrected the tables of lift that everybody had used. Later the town named a field, a school and a street after them, and the shop itself went to a museum in Michigan, where it stands beside the house that they were born in.",
  },
  "person-77-trade": { text: `A passage that holds markup: ${hostile} and goes on & on.` },
  "engine-4-power": {
    title: "The engine",
    text: "Charlie Taylor, their mechanic, built the engine in six weeks: four cylinders, an aluminium block, and twelve horsepower, which was more than the brothers had asked for.",
  },
}

const noise = (index: number): number => {
  const value = Math.sin(index * 12.9898) * 43758.5453
  return value - Math.floor(value) - 0.5
}

/** Steps of a run that goes well, with a gradient norm for each part; the first losses are outliers. */
const stepsOf = (count: number, parts: readonly string[] = []): readonly StepRow[] =>
  Array.from({ length: count }, (_, index) => {
    const step = index + 1
    const warm = Math.min(1, step / (0.1 * count))
    const gradNorm = 2.5 + 6 * Math.exp(-step / 60) + noise(step + 7) * 2
    return {
      step,
      values: {
        epoch: step / 250,
        loss: 0.55 + 2.4 * Math.exp(-step / 130) + noise(step) * 0.5 + (step < 4 ? 40 / step : 0),
        lr: 2e-5 * (warm < 1 ? warm : 1 - (step - 0.1 * count) / (0.9 * count)),
        gradNorm,
        ...Object.fromEntries(
          parts.map((part, place) => [`gradNorm/${part}`, (gradNorm / 4 ** place) * (1 + 0.3 * noise(step + place))]),
        ),
        entropy: 1.6 - 1.2 * (1 - Math.exp(-step / 200)) + noise(step + 3) * 0.3,
      },
    }
  })

const metrics = (progress: number) => ({
  n: 960,
  "recall@1": 0.012 + 0.82 * progress,
  "recall@5": 0.05 + 0.89 * progress,
  "recall@20": 0.13 + 0.855 * progress,
  "mrr@10": 0.03 + 0.845 * progress,
  "ndcg@10": 0.035 + 0.86 * progress,
  "answerRecall@1": 0.02 + 0.81 * progress,
  "answerRecall@5": 0.07 + 0.875 * progress,
  "answerRecall@20": 0.19 + 0.8 * progress,
})

const bm25 = {
  n: 960,
  "recall@1": 0.17,
  "recall@5": 0.382,
  "recall@20": 0.796,
  "mrr@10": 0.266,
  "ndcg@10": 0.335,
  "answerRecall@1": 0.175,
  "answerRecall@5": 0.41,
  "answerRecall@20": 0.829,
}

const differencesOf = (names: Readonly<Record<string, number>>, estimate: number): Readonly<Record<string, Interval>> =>
  Object.fromEntries(
    Object.keys(names)
      .filter((name) => name !== "n")
      .map((name) => {
        const sign = name === "nll" ? -1 : 1
        const [low, high] = [sign * estimate - 0.024, sign * estimate + 0.023]
        return [name, { estimate: sign * estimate, low, high, confidence: 0.95, n: 960 }] as const
      }),
  )

const evaluationsOf = (steps: readonly number[]): readonly EvaluationRow[] =>
  steps.map((step) => ({ step, metrics: metrics(1 - Math.exp(-step / 170) * 0.9) }))

const questions = [
  {
    query: "When did the Wright brothers fly?",
    answers: ["17 December 1903"],
    gold: ["ship-12-builder"],
  },
  { query: `What is ${hostile}?`, answers: [], gold: ["nowhere"] },
  {
    query:
      "Which town did the brothers who built the first powered aeroplane call their home, and where does their shop stand today?",
    answers: ["museum in Michigan", "Dayton"],
    gold: ["town-3-founded"],
  },
  { query: "Who paid for the experiments?", answers: ["bicycle shop"], gold: ["town-3-founded"] },
  { query: "How strong was the engine?", answers: ["twelve horsepower"], gold: ["engine-4-power"] },
]

const ranked = (...ids: readonly string[]) => ids.map((id, index) => ({ id, score: 0.871 - 0.1 * index }))
const [ship, town, person] = ["ship-12-builder", "town-3-founded", "person-77-trade"] as const
const before = {
  name: "before",
  color: "grey",
  rankings: [
    ranked(person, town),
    ranked(ship, town, person),
    ranked(person, ship, town),
    ranked(town, person),
    ranked(person, ship, town),
  ],
  scores: [0, 0, 1 / 3, 1, 0],
} as const
const lexical = {
  name: "BM25",
  color: "amber",
  rankings: [ranked(town, ship, person), [], ranked(ship, town, person), ranked(person), ranked(ship, town)],
  scores: [1 / 2, 0, 1 / 2, 0, 0],
} as const
const after = {
  name: "after",
  color: "teal",
  rankings: [
    ranked(ship, town, person),
    ranked(person, ship, town),
    ranked(town, ship, person),
    ranked(person, ship, town),
    ranked(ship, person, town),
  ],
  scores: [1, 0, 1, 1 / 3, 1 / 8],
  places: [1, 0, 1, 3, 8],
} as const

/** The questions of the sample, chosen and labelled. */
export const sampleExamples = rankedExamples({
  questions,
  systems: [before, lexical, after],
  before: "before",
  after: "after",
  passage: (id) => corpus[id],
})

const config = {
  format: 1,
  command: "dpr train",
  settings: {
    data: ["world/train.jsonl"],
    dev: ["world/dev.jsonl"],
    corpus: "world/corpus.jsonl",
    model: "tiny",
    out: "run",
    epochs: 3,
    batchSize: 16,
    lr: 2e-5,
    warmup: 0.1,
    schedule: "linear",
    freeze: [],
    [hostile]: hostile,
  },
  retriever: { similarity: "cosine", temperature: 0.05, maxLength: 48 },
  versions: { tandem: "0.1.0", node: "24.21.0", architecture: "bert" },
  data: { "world/train.jsonl": "428b8770c92d5ab9a1148c99b5ae5a7c90cc9af6c22e2f2eb0ccdd6a76bb4128" },
  fingerprint: "1f724fb59d7fa505ee56cae34f7caa3781f883e5d98e729e8099a72cb7d21a68",
}
const statistics = {
  train: { rows: 11200, examples: 11200, passages: 3200 },
  dev: { rows: 960, examples: 960, passages: 3200 },
}

const report = (
  run: Omit<TrainingRun, "sections">,
  steps: readonly StepRow[],
  evaluations: readonly EvaluationRow[],
  outcome: Outcome,
  more: readonly Section[] = [],
): Report<Section> => {
  const latest = evaluations.at(-1)
  const all = { ...outcome, ...(latest === undefined ? {} : { latest }) }
  const curves = trainingCurves(steps, evaluations, {
    ...(run.savedStep === undefined ? {} : { savedStep: run.savedStep }),
    ...(outcome.before === undefined ? {} : { before: outcome.before }),
    columns: [{ title: "Entropy of the retrieved passages", columns: ["entropy"] }],
  })
  const sections = [outcomeFigures(all), curves, ...more]
  return trainingReport({ ...run, outcome: outcomeSentence(all), sections }, steps)
}

/** A run of 742 steps that went well. */
export const finishedReport: Report<Section> = report(
  {
    command: "tandem dpr train",
    status: "completed",
    steps: 742,
    seconds: 212.3,
    peakMemoryMiB: 1210,
    device: `cpu, 2 threads ${hostile}`,
    savedStep: 600,
    warnings: ["12 of 11212 rows have no positive passage and were left out", `a warning with markup: ${hostile}`],
  },
  stepsOf(742),
  evaluationsOf([150, 300, 450, 600, 742]),
  {
    before: metrics(0),
    after: metrics(1),
    baselines: { BM25: bm25 },
    differences: { "after − before": differencesOf(bm25, 0.83) },
  },
  [sampleExamples, configFacts(config, statistics)],
)

/** The same run, interrupted in the middle. */
export const interruptedReport: Report<Section> = report(
  {
    command: "tandem dpr train",
    status: "interrupted",
    steps: 340,
    plannedSteps: 742,
    seconds: 97,
    peakMemoryMiB: 1190,
    warnings: [],
  },
  stepsOf(742).slice(0, 340),
  evaluationsOf([150, 300]),
  { before: metrics(0), baselines: { BM25: bm25 } },
)

/** A run that has just begun, without anything to be evaluated with. */
export const barestReport: Report<Section> = report(
  { command: "tandem dpr train", status: "running", steps: 0, seconds: 1.2, peakMemoryMiB: 400, warnings: [] },
  [],
  [],
  {},
)

const answers = (progress: number) => ({
  n: 300,
  "recall@1": 0.52 + 0.2 * progress,
  "recall@5": 0.78 + 0.1 * progress,
  exactMatch: 0.31 + 0.17 * progress,
  f1: 0.42 + 0.16 * progress,
  nll: 2.43 - 0.9 * progress,
})

/** A run with three parts, whose result is measured in another form, too; sections of every kind. */
export const jointReport: Report<Section> = report(
  {
    command: "tandem joint train",
    status: "completed",
    steps: 400,
    seconds: 5212,
    peakMemoryMiB: 3210,
    device: "cpu, 2 threads",
    savedStep: 400,
    warnings: ["the loss fell while the entropy of the target rose: look at the curves"],
  },
  stepsOf(400, ["query", "passage", "generator"]),
  [100, 200, 300, 400].map((step) => ({ step, metrics: answers(1 - Math.exp(-step / 120)) })),
  {
    before: answers(0),
    after: answers(1),
    baselines: { BM25: { n: 300, "recall@1": 0.61, "recall@5": 0.8 } },
    variants: { "after, q8": { ...answers(0.97) } },
    differences: {
      "after − before": differencesOf(answers(1), 0.17),
      "q8 − after": differencesOf(answers(1), -0.01),
    },
  },
  [
    {
      kind: "table",
      title: "By kind of question",
      intro: "The same questions, by what they ask for.",
      head: ["kind", "questions", "before", "after"],
      rows: [
        ["person", "102", "0.29", "0.51"],
        [`place ${hostile}`, "88", "0.35", "0.44"],
        ["number", "110", "0.28", "0.47"],
      ],
      notes: ["`exactMatch`, with five passages a question."],
    },
    {
      kind: "text",
      title: "How it was measured",
      paragraphs: ["Answers are generated greedily, with at most `--max-answer` tokens.", hostile],
    },
    sampleExamples,
    configFacts(config, statistics),
  ],
)
