// What the design rests on, before the trainers that need it: joint training's largest shape with random weights.
// `npm run proof -- joint-shapes [BATCH]`; $TANDEM_MODELS holds all-MiniLM-L6-v2 and SmolLM2-135M-Instruct (tokenizers
// alone are read), $TANDEM_DATA SQuAD. The step runs at BATCH queries (8 is the largest shape: minutes).
import { execFile } from "node:child_process"
import { existsSync } from "node:fs"
import { join } from "node:path"
import { promisify } from "node:util"
import type { Experiment } from "../scripts/support/Experiment.ts"
import type { JointReport, JointSettings } from "../test/support/jointStep.ts"
import { jointShapes } from "./support/JointShapes.ts"

const shape = { k: 5, tokens: 256, queryTokens: 32, answerTokens: 32, threads: 2 }
const buckets = { queryMultiple: 32, tokenMultiple: 64, packedMultiple: 1024, logitMultiple: 256 }
const alive = 16

export const run: Experiment = async ({ args, root, data, log }) => {
  const batch = Number(args[0] ?? 8)
  const models = process.env["TANDEM_MODELS"]
  if (models === undefined || !existsSync(models)) {
    throw new Error("set TANDEM_MODELS to the folder that holds all-MiniLM-L6-v2 and SmolLM2-135M-Instruct")
  }
  const child = async (settings: Omit<JointSettings, keyof typeof shape>): Promise<JointReport> => {
    const script = join(root, "test/support/jointStep.ts")
    const { stdout } = await promisify(execFile)(process.execPath, [script, JSON.stringify({ ...shape, ...settings })])
    const report: JointReport = JSON.parse(stdout)
    log(`${settings.part}, batch ${settings.batch}, adapters ${settings.lora}: ${stdout.trim()}`)
    return report
  }
  const sessions = await jointShapes(
    join(data(), "squad/train.json"),
    { query: join(models, "all-MiniLM-L6-v2"), generator: join(models, "SmolLM2-135M-Instruct") },
    { batch: 8, k: shape.k, tokens: shape.tokens, sample: 3000, ...buckets },
  )
  log(JSON.stringify(sessions))
  const oracle = await child({ part: "oracle", batch, recompute: false, lora: 0 })
  const compile = await child({ part: "compile", batch: 8, recompute: true, lora: 0 })
  const step = await child({ part: "step", batch, recompute: true, lora: 0 })
  const epochSeconds = sessions.steps * step.seconds
  const compileSeconds = (sessions.compiled[alive] ?? sessions.steps) * (compile.compileSeconds + oracle.seconds)
  const round = (value: number): number => Math.round(value * 1e4) / 1e4
  return {
    settings: { ...shape, batch, buckets, alive, models: "random weights: MiniLM-L6 (22.6 M), SmolLM-135M (134.5 M)" },
    figures: {
      oracle: { peakMiB: oracle.peakMiB, weightsMiB: oracle.weightsMiB, seconds: round(oracle.seconds) },
      step: {
        peakMiB: step.peakMiB,
        weightsMiB: step.weightsMiB,
        seconds: round(step.seconds),
        nodes: step.nodes,
        loss: step.loss,
      },
      compile: { seconds: round(compile.compileSeconds), peakMiB: compile.peakMiB },
      sessions,
      oracleToStep: round(oracle.peakMiB / step.peakMiB),
      compileShareOfEpoch: round(compileSeconds / epochSeconds),
    },
    holds: {
      "the oracle takes at most 1.5 times the step's memory": oracle.peakMiB <= 1.5 * step.peakMiB,
      "an epoch meets no more shapes than sessions are kept alive": sessions.shapes <= alive,
      "compiling takes less than 5 % of an epoch": compileSeconds < 0.05 * epochSeconds,
    },
  }
}
