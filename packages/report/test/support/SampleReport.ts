import type { RankedPassage, ReportData, StepRow } from "../../src/ReportData.ts"

/** What a passage may hold and a page must not run. */
export const hostile = `</script><script>document.title = "owned"</script><img src=x onerror="document.title = 'owned'">`

const texts: Readonly<Record<string, RankedPassage>> = {
  p4: {
    id: "ship-12-builder",
    score: 0.871,
    title: "Kitty Hawk",
    text: "The Wright brothers flew the Wright Flyer near Kitty Hawk on 17 December 1903, four flights in all, the longest of 59 seconds, before a gust of wind turned the machine over and ended the season.",
  },
  p7: {
    id: "town-3-founded",
    score: 0.664,
    title: "Dayton, Ohio",
    text: "Dayton was the brothers' home. Their bicycle shop paid for the experiments; the wind tunnel that they built there in 1901 corrected the tables of lift that everybody had used.",
  },
  p9: { id: "person-77-trade", score: 0.512, text: `A passage that holds markup: ${hostile} and goes on & on.` },
}
const [p4, p7, p9] = [texts["p4"], texts["p7"], texts["p9"]] as [RankedPassage, RankedPassage, RankedPassage]

const noise = (index: number): number => {
  const value = Math.sin(index * 12.9898) * 43758.5453
  return value - Math.floor(value) - 0.5
}

const stepsOf = (count: number): readonly StepRow[] =>
  Array.from({ length: count }, (_, index) => {
    const step = index + 1
    const warm = Math.min(1, step / (0.1 * count))
    return {
      step,
      epoch: step / 250,
      loss: 0.55 + 2.4 * Math.exp(-step / 130) + noise(step) * 0.5,
      lr: 2e-5 * (warm < 1 ? warm : 1 - (step - 0.1 * count) / (0.9 * count)),
      gradNorm: 2.5 + 6 * Math.exp(-step / 60) + noise(step + 7) * 2,
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

const differences = Object.fromEntries(
  Object.keys(metrics(1))
    .filter((name) => name !== "n")
    .map((name) => [name, { estimate: 0.83, low: 0.806, high: 0.853, confidence: 0.95, n: 960 }] as const),
)

/** A run of 742 steps that went well. */
export const finishedReport: ReportData = {
  report: {
    format: 1,
    command: "dpr train",
    status: "completed",
    steps: 742,
    seconds: 212.3,
    peakMemoryMiB: 1210,
    device: "cpu, 2 threads",
    savedStep: 742,
    baselines: { bm25, untrained: metrics(0) },
    before: metrics(0),
    after: metrics(1),
    differences: { before: differences },
  },
  steps: stepsOf(742),
  evaluations: [150, 300, 450, 600, 742].map((step) => ({ step, eval: metrics(1 - Math.exp(-step / 170) * 0.9) })),
  examples: [
    {
      query: "When did the Wright brothers fly?",
      answers: ["17 December 1903"],
      gold: [p4.id],
      before: [p9, p7],
      bm25: [p7, p4, p9],
      after: [p4, p7, p9],
    },
    {
      query: `What is ${hostile}?`,
      answers: [],
      gold: ["nowhere"],
      before: [p4, p7, p9],
      bm25: [],
      after: [p9, p4, p7],
    },
    {
      query:
        "Which town did the brothers who built the first powered aeroplane call their home, and what did their shop sell?",
      answers: ["Dayton", "bicycles"],
      gold: [p7.id],
      before: [p9, p4, p7],
      bm25: [p4, p7, p9],
      after: [p4, p7, p9],
    },
    {
      query: "Who paid for the experiments?",
      answers: ["bicycle shop"],
      gold: [p7.id],
      before: [p9],
      bm25: [p9],
      after: [p7],
    },
  ],
  config: {
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
  },
  statistics: {
    train: { rows: 11200, examples: 11200, passages: 3200 },
    dev: { rows: 960, examples: 960, passages: 3200 },
  },
  warnings: ["12 of 11212 rows have no positive passage and were left out", `a warning with markup: ${hostile}`],
}

/** The same run, interrupted in the middle. */
export const interruptedReport: ReportData = {
  ...finishedReport,
  report: {
    format: 1,
    command: "dpr train",
    status: "interrupted",
    steps: 340,
    seconds: 97,
    peakMemoryMiB: 1190,
    before: metrics(0),
    baselines: { bm25 },
  },
  steps: finishedReport.steps.slice(0, 340),
  evaluations: finishedReport.evaluations.slice(0, 2),
  examples: [],
  warnings: [],
  plannedSteps: 742,
}

/** A run that has just begun, without anything to be evaluated with. */
export const barestReport: ReportData = {
  report: { format: 1, command: "dpr train", status: "running", steps: 0, seconds: 1.2, peakMemoryMiB: 400 },
  steps: [],
  evaluations: [],
  examples: [],
  config: {},
  statistics: {},
  warnings: [],
}
