// Starts a device, and gives it up so many milliseconds after the file $LOADED is there (see toldLoading.ts), as a run does
// that is refused meanwhile.
import { existsSync } from "node:fs"
import { Effect, Fiber, Layer } from "effect"
import { layer } from "../../src/node/NodeRuntime.ts"

const file = process.env["LOADED"] ?? ""
const delay = Number(process.argv[2])
await Effect.runPromise(
  Effect.scoped(
    Effect.gen(function* () {
      const starting = yield* Effect.forkChild(Layer.build(layer({ threads: 1 })))
      while (!existsSync(file)) yield* Effect.sleep(1)
      yield* Effect.sleep(delay)
      yield* Fiber.interrupt(starting)
    }),
  ),
)
console.log("given up")
