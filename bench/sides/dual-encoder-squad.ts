// `tandem dpr train`, held up after each round: tokenizing, compiling, forward, backward, clip and AdamW.
import { join } from "node:path"
import { DprSettings, trainDpr } from "@tandem/dpr"
import { Effect, Schema } from "effect"
import { answerInTurns } from "../support/AnswerInTurns.ts"
import { type SideRuntimeSettings, sideRuntime } from "../support/SideRuntime.ts"

interface Settings extends SideRuntimeSettings {
  readonly warmup: number
  readonly steps: number
  readonly run: Readonly<Record<string, unknown>>
}
const settings: Settings = JSON.parse(process.argv[2] ?? "{}")
const { warmup, steps, profile } = settings
// A run's folder belongs to one process.
const run = profile === undefined ? settings.run : { ...settings.run, out: join(profile, "run") }
let losses: number[] = []
await answerInTurns(
  (turns) =>
    trainDpr(Schema.decodeUnknownSync(DprSettings)(run), {
      runtime: sideRuntime(settings),
      observe: (event) =>
        Effect.promise(async () => {
          if (event.event !== "step") return
          losses.push(event.loss)
          // The first turn is the warm-up: it ends the preparation.
          const past = event.step - warmup
          if (past >= 0 && past % steps === 0) await turns.end()
        }),
    }),
  async (turn) => {
    losses = []
    const started = performance.now()
    await turn()
    return { seconds: (performance.now() - started) / 1000 / steps, values: losses }
  },
)
