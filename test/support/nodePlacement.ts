// Compiles the training graphs of exports for onnxruntime-node's WebGPU and prints, as JSON, what falls back in each.
// Usage: node nodePlacement.ts FOLDER/NAME.onnx …   (below test/golden/exports, whose folders have a reference.safetensors)
import { gradCheck } from "@tandem/inspection"
import { type Graph, readModel } from "@tandem/onnx"
import { Runtime } from "@tandem/runtime"
import { layer } from "@tandem/runtime/node/NodeRuntime"
import { Effect } from "effect"
import { goldenBytes, goldenTensors } from "./Golden.ts"

/** The graph that checks an export's gradients, which a CPU runs. */
const trainingGraph = (path: string) =>
  Effect.gen(function* () {
    const cpu = yield* Runtime
    const graphs: Graph[] = []
    const watched: Runtime["Service"] = {
      ...cpu,
      compile: (graph, options) => {
        if (graph.outputs.some(({ name }) => name.startsWith("grad."))) graphs.push(graph)
        return cpu.compile(graph, options)
      },
    }
    const reference = goldenTensors(`exports/${path.replace(/[^/]+$/, "reference")}.safetensors`)
    const check = gradCheck(readModel(goldenBytes(`exports/${path}`)), { reference })
    yield* Effect.provideService(check, Runtime, watched)
    const [graph] = graphs
    if (graph === undefined) return yield* Effect.die(new Error(`${path} has no training graph`))
    return graph
  }).pipe(Effect.scoped, Effect.provide(layer({ device: "cpu", threads: 1 })))

const placed = Effect.gen(function* () {
  const webgpu = yield* Runtime
  const found: Record<string, { readonly nodes: number; readonly fallbacks: readonly string[] }> = {}
  for (const path of process.argv.slice(2)) {
    const graph = yield* trainingGraph(path)
    const { fallbacks } = yield* Effect.scoped(webgpu.compile(graph))
    found[path] = { nodes: graph.nodes.length, fallbacks }
  }
  return found
})

console.log(
  JSON.stringify(await Effect.runPromise(placed.pipe(Effect.provide(layer({ device: "webgpu", threads: 1 }))))),
)
