// Run in a project that holds @tandem/runtime and onnxruntime-web: prints the square of a matrix.
import { float32, GraphBuilder } from "@tandem/onnx"
import { Runtime } from "@tandem/runtime"
import { layer } from "@tandem/runtime/web/WebRuntime"
import { Effect } from "effect"

const g = new GraphBuilder()
const x = g.input("x", "float32", [2, 2])
const graph = g.build({ y: g.matmul(x, x) }, "square")

const program = Effect.gen(function* () {
  const runtime = yield* Runtime
  const executable = yield* runtime.compile(graph)
  const { y } = yield* executable.run({ x: float32([2, 2], [1, 2, 3, 4]) })
  return [...(y?.data ?? [])]
})
console.log(JSON.stringify(await Effect.runPromise(Effect.scoped(program).pipe(Effect.provide(layer())))))
