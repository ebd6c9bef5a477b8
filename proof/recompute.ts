// What recomputation saves and costs: the training step of a BERT of 12 layers at 8 × 512 tokens, each time in a
// process of its own, with and without in turn.
import { execFile } from "node:child_process"
import { join } from "node:path"
import { promisify } from "node:util"
import type { Experiment } from "../scripts/support/Experiment.ts"
import type { StepReport, StepSettings } from "../test/support/trainingStep.ts"

const shape = { layers: 12, hidden: 256, heads: 4, batch: 8, tokens: 512, runs: 3, threads: 2 }
const rounds = 3

export const run: Experiment = async ({ root, log }) => {
  const stepIn = async (recompute: StepSettings["recompute"]): Promise<StepReport> => {
    const script = join(root, "test/support/trainingStep.ts")
    const { stdout } = await promisify(execFile)(process.execPath, [script, JSON.stringify({ ...shape, recompute })])
    return JSON.parse(stdout)
  }
  const plain: StepReport[] = []
  const saving: StepReport[] = []
  for (let round = 0; round < rounds; round++) {
    plain.push(await stepIn(null))
    saving.push(await stepIn("auto"))
    log(`${plain.at(-1)?.peakMiB} MiB, ${saving.at(-1)?.peakMiB} MiB`)
  }
  const peak = (reports: readonly StepReport[]): number => Math.max(...reports.map(({ peakMiB }) => peakMiB))
  const fastest = (reports: readonly StepReport[]): number => Math.min(...reports.flatMap(({ seconds }) => seconds))
  const round = (value: number): number => Math.round(value * 1000) / 1000
  const of = (reports: readonly StepReport[]) => ({
    peakMiB: peak(reports),
    idleMiB: reports[0]!.idleMiB,
    seconds: round(fastest(reports)),
    compileSeconds: round(Math.min(...reports.map(({ compileSeconds }) => compileSeconds))),
    nodes: reports[0]!.nodes,
  })
  return {
    settings: { ...shape, rounds, model: "BERT with random weights", vocabulary: 1000, recompute: "auto" },
    figures: {
      plain: of(plain),
      recomputed: of(saving),
      memory: round(peak(saving) / peak(plain)),
      time: round(fastest(saving) / fastest(plain)),
    },
    holds: {
      "the peak of the whole process falls by at least 40 %": peak(saving) <= 0.6 * peak(plain),
      "loss and gradients are the same to the last bit": saving.every(
        ({ loss, gradients }, index) => loss === plain[index]!.loss && gradients === plain[index]!.gradients,
      ),
    },
  }
}
