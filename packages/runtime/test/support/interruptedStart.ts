// Starts a device, and gives it up after so many milliseconds, as a run does that is refused meanwhile.
import { Effect, Fiber, Layer } from "effect"
import { layer } from "../../src/node/NodeRuntime.ts"

const delay = Number(process.argv[2])
await Effect.runPromise(
  Effect.scoped(
    Effect.gen(function* () {
      const starting = yield* Effect.forkChild(Layer.build(layer({ threads: 1 })))
      yield* Effect.sleep(delay)
      yield* Fiber.interrupt(starting)
    }),
  ),
)
console.log("given up")
