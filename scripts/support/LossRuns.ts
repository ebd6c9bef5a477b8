// Small runs of `tandem dpr train` whose losses stay the same while the code is rearranged: two commits share them bit for
// bit on one machine, and every machine shares those of test/golden/dpr-losses.json to rounding.
import { spawn } from "node:child_process"
import { mkdirSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { root } from "./Workspace.ts"

/** A training run by the flags that it has besides those of every run. */
export interface LossRun {
  readonly name: string
  readonly flags: readonly string[]
  /** The process is killed after this step and a second one resumes the run. */
  readonly killAfter?: number
}

/** The runs that are compared, one for each way through the training of a retriever. */
export const lossRuns: readonly LossRun[] = [
  { name: "tied", flags: ["--model", "tiny", "--eval-every", "4"] },
  { name: "untied", flags: ["--query-encoder", "tiny:1", "--passage-encoder", "tiny:2", "--eval-every", "6"] },
  {
    name: "hard negatives",
    flags: ["--model", "tiny", "--negatives", "bm25", "--hard-negatives", "2", "--dropout", "0.1"],
  },
  { name: "accumulated", flags: ["--model", "tiny", "--accumulate", "2", "--epochs", "2"] },
  {
    name: "resumed",
    flags: ["--model", "tiny", "--epochs", "3", "--save-every", "3", "--dropout", "0.1"],
    killAfter: 5,
  },
  { name: "frozen", flags: ["--model", "tiny", "--freeze", "embeddings.*", "--symmetric"] },
  {
    name: "cosine",
    flags: ["--model", "tiny", "--similarity", "cosine", "--temperature", "0.1", "--schedule", "cosine"],
  },
  { name: "stopped early", flags: ["--model", "tiny", "--epochs", "4", "--eval-every", "2", "--patience", "2"] },
]

/** What every run has. */
const commonFlags = [
  ...["--tiny-hidden", "32", "--tiny-layers", "2", "--tiny-heads", "2", "--tiny-intermediate", "64"],
  ...["--tiny-vocabulary", "400", "--max-length", "24", "--batch-size", "4", "--lr", "5e-4"],
  ...["--threads", "2", "--seed", "1"],
]

/** The training files of the runs. */
export interface LossData {
  readonly data: string
  readonly dev: string
  readonly corpus: string
}

/** A row of `metrics.jsonl` with nothing in it but what training computed: no times, nothing that later code adds. */
export type LossRow = Readonly<Record<string, number | Readonly<Record<string, number>>>>

const compared = ["step", "epoch", "loss", "lr", "gradNorm", "eval"] as const

/** Writes the files that the runs read: a few lines of an invented world, in `folder`. */
export const writeLossData = async (folder: string): Promise<LossData> => {
  const world = join(folder, "world")
  await tandem(root, ["world", "--seed", "1", "--out", world])
  const cut = (name: string, keep: (line: string, index: number) => boolean) => {
    const lines = readFileSync(join(world, name), "utf8").split("\n").slice(0, -1).filter(keep)
    const file = join(folder, name)
    writeFileSync(file, lines.map((line) => `${line}\n`).join(""))
    return { file, lines }
  }
  const data = cut("train.jsonl", (_, index) => index < 48)
  const dev = cut("dev.jsonl", (_, index) => index < 12)
  const asked = new Set([...data.lines, ...dev.lines].flatMap((line): string[] => JSON.parse(line).positives))
  const corpus = cut("corpus.jsonl", (line, index) => index < 40 || asked.has(JSON.parse(line).id))
  return { data: data.file, dev: dev.file, corpus: corpus.file }
}

/** Carries a run out with the sources of the checkout `tree`; `out` is its run folder. */
export const runLosses = async (
  { name, flags, killAfter }: LossRun,
  tree: string,
  files: LossData,
  out: string,
): Promise<readonly LossRow[]> => {
  mkdirSync(out, { recursive: true })
  const paths = ["--data", files.data, "--dev", files.dev, "--corpus", files.corpus, "--out", out]
  const args = ["dpr", "train", ...paths, ...commonFlags, ...flags, "--json"]
  if (killAfter === undefined) await tandem(tree, args)
  else {
    const killed = await tandem(tree, args, killAfter)
    const resumed = await tandem(tree, [...args, "--resume"])
    const first = resumed.find(({ event }) => event === "step")?.step ?? 0
    if (first < 2) throw new Error(`${name}: ${killed.length} events, then the second process began at step ${first}`)
  }
  return readRows(join(out, "metrics.jsonl"))
}

const readRows = (file: string): readonly LossRow[] =>
  readFileSync(file, "utf8")
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => {
      const row: LossRow = JSON.parse(line)
      return Object.fromEntries(compared.flatMap((field) => (row[field] === undefined ? [] : [[field, row[field]]])))
    })

interface TrainingEvent {
  readonly event?: string
  readonly step?: number
}

/** Runs `tandem` to its end, or until it is killed after a step; the lines of its standard output that are JSON. */
const tandem = (tree: string, args: readonly string[], killAfter?: number): Promise<readonly TrainingEvent[]> =>
  new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [join(tree, "apps/cli/src/main.ts"), ...args], {
      cwd: tree,
      stdio: ["ignore", "pipe", "pipe"],
    })
    const events: TrainingEvent[] = []
    let [rest, log] = ["", ""]
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      log += text
      const lines = (rest + text).split("\n")
      rest = lines.pop() ?? ""
      for (const line of lines.filter((text) => text.startsWith("{"))) {
        const event: TrainingEvent = JSON.parse(line)
        events.push(event)
        if (event.event === "step" && killAfter !== undefined && (event.step ?? 0) >= killAfter) child.kill("SIGKILL")
      }
    })
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      log += text
    })
    child.on("error", reject)
    child.on("close", (code, signal) => {
      if (killAfter === undefined ? code === 0 : signal === "SIGKILL") return resolve(events)
      reject(new Error(`tandem ${args.join(" ")} ended with ${signal ?? code}\n${log.slice(-2000)}`))
    })
  })

/** A value of a row that is not what was expected; undefined where one of the two has none. */
export interface LossDifference {
  readonly row: number
  readonly field: string
  readonly expected: unknown
  readonly found: unknown
}

/** The first value that is not what was expected; fields that only `found` has are passed over. */
export const firstDifference = (
  expected: readonly LossRow[],
  found: readonly LossRow[],
  same: (expected: number, found: number) => boolean = Object.is,
): LossDifference | undefined => {
  for (const [row, fields] of expected.entries())
    for (const [field, value] of numbersOf(fields)) {
      const other = new Map(numbersOf(found[row] ?? {})).get(field)
      if (other === undefined || !same(value, other)) return { row, field, expected: value, found: other }
    }
  if (found.length === expected.length) return undefined
  return { row: expected.length, field: "rows", expected: expected.length, found: found.length }
}

const numbersOf = (row: LossRow): readonly (readonly [string, number])[] =>
  Object.entries(row).flatMap(([field, value]): readonly (readonly [string, number])[] =>
    typeof value === "number"
      ? [[field, value]]
      : Object.entries(value).map(([name, number]) => [`${field} ${name}`, number]),
  )
