// Ends the process with code 7 while its device multiplies matrices, one product after the other.
import { GraphBuilder } from "@tandem/onnx"
import { Effect } from "effect"
import { closeDevices } from "../../src/node/CloseDevices.ts"
import { layer } from "../../src/node/NodeRuntime.ts"
import { Runtime } from "../../src/Runtime.ts"

const size = 1024
const g = new GraphBuilder()
const x = g.input("x", "float32", [size, size])
const graph = g.build({ y: g.matmul(g.matmul(x, x), x) }, "products")

await Effect.runPromise(
  Effect.scoped(
    Effect.gen(function* () {
      const { compile, zeros } = yield* Runtime
      const buffer = yield* zeros("float32", [size, size])
      const { run } = yield* compile(graph)
      yield* run({ x: buffer })
      setTimeout(() => void closeDevices().then(() => process.exit(7)), 20)
      yield* Effect.forever(run({ x: buffer }))
    }),
  ).pipe(Effect.provide(layer({ threads: 1 }))),
)
