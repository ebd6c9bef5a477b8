// What makes ONNX Runtime write to its log: a graph that does not compile, and two whose runs fail. Prints the messages.
import { GraphBuilder, int64 } from "@tandem/onnx"
import { Effect } from "effect"
import { layer } from "../../src/node/NodeRuntime.ts"
import { Runtime } from "../../src/Runtime.ts"

const model = (op: string, second: readonly number[]) => {
  const g = new GraphBuilder()
  const x = g.input("x", "float32", [2, 3])
  const operand = g.input("operand", "int64", [second.length])
  const graph = g.build({ y: g.op(op, [x, operand])[0]! })
  return {
    graph,
    inputs: {
      x: { type: "float32", dims: [2, 3], data: new Float32Array(6) },
      operand: int64([second.length], second),
    },
  } as const
}

const failure = ({ graph, inputs }: ReturnType<typeof model>) =>
  Effect.gen(function* () {
    const runtime = yield* Runtime
    return yield* (yield* runtime.compile(graph)).run(inputs)
  }).pipe(
    Effect.scoped,
    Effect.flip,
    Effect.map(({ _tag, message }) => console.log(`${_tag}: ${message.replaceAll("\n", " ")}`)),
  )

await Effect.runPromise(
  Effect.all([model("NoSuchOperator", [1]), model("Reshape", [5, 7]), model("Expand", [4, 3])].map(failure)).pipe(
    Effect.provide(layer({ threads: 1 })),
  ),
)
