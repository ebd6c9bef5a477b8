import { float32, GraphBuilder, int64 } from "@tandem/onnx"
import { Runtime } from "@tandem/runtime"
import { Effect } from "effect"

/** What a runtime tells of a graph one operator of which no provider but the CPU has, and what that graph computes. */
export const fallback = Effect.gen(function* () {
  const g = new GraphBuilder()
  const x = g.input("x", "float32", [2, 2])
  const [places] = g.op("NonZero", [g.exp(x)], { outputs: [{ type: "int64", dims: [2, 4] }], name: "where it is" })
  const sum = g.add(places!, g.constant(int64([], [1])))
  const executable = yield* (yield* Runtime).compile(g.build({ sum }))
  const { sum: found } = yield* executable.run({ x: float32([2, 2], [1, 2, 3, 4]) })
  return { fallbacks: executable.fallbacks, sum: Array.from(found?.data ?? [], Number), type: found?.type }
}).pipe(Effect.scoped)
