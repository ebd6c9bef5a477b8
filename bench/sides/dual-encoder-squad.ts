// `tandem dpr train` as it is, held up after each round: tokenizing, compiling, forward, backward, clip and AdamW.
import { DprSettings, trainDpr } from "@tandem/dpr"
import { Effect, Schema } from "effect"
import { answer } from "../support/Answer.ts"
import { Turns } from "../support/Turns.ts"

const { steps, run }: { steps: number; run: Readonly<Record<string, unknown>> } = JSON.parse(process.argv[2] ?? "{}")
const turns = new Turns()
let losses: number[] = []
const training = Effect.runPromise(
  trainDpr(Schema.decodeUnknownSync(DprSettings)(run), {
    observe: (event) =>
      Effect.promise(async () => {
        if (event.event !== "step") return
        losses.push(event.loss)
        // The first step is a turn of its own: it ends the preparation.
        if (event.step === 1 || (event.step - 1) % steps === 0) await turns.end()
      }),
  }),
)
training.catch((cause: unknown) => {
  console.error(cause)
  process.exit(1)
})
await turns.ended()
await answer(async () => {
  losses = []
  const started = performance.now()
  turns.begin()
  await turns.ended()
  return { seconds: (performance.now() - started) / 1000 / steps, values: losses }
})
process.exit(0)
