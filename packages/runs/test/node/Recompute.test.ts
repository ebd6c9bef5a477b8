// With `recompute` the programs of a run compute again what their gradients need.
import assert from "node:assert/strict"
import { test } from "node:test"
import { float32, GraphBuilder, type Tensor, type Value } from "@tandem/onnx"
import { TrainSettings } from "@tandem/runs"
import { layer } from "@tandem/runtime/node/NodeRuntime"
import { asDrafted, type Batch } from "@tandem/trainers"
import { Effect, Schema } from "effect"
import { firstDifferentiated } from "../../src/FirstProgram.ts"

const width = 4
const layers = ["w0", "w1", "w2", "w3", "w4", "w5"].map((name) => `query/${name}`)
const batch: Batch = {
  key: "all",
  tensors: { x: float32([2, width], new Float32Array(2 * width).fill(1)) },
  examples: 2,
}

/** Layers of a product and a tanh. */
const program = () => {
  const g = new GraphBuilder()
  const x: Value = g.input("x", "float32", [2, width])
  const out = layers.reduce((h, name) => g.tanh(g.matmul(h, g.input(name, "float32", [width, width]))), x)
  return { graph: g.build({ loss: g.reduceMean(out, [0, 1], false) }), loss: "loss", dropout: [] }
}

const nodes = async (given: object): Promise<number> => {
  const parameters: ReadonlyMap<string, Tensor> = new Map(
    layers.map((name, index) => [name, float32([width, width], new Float32Array(width * width).fill(0.1 * index))]),
  )
  const { gradients } = await Effect.runPromise(
    firstDifferentiated(
      {
        objective: {
          ...{
            name: "deep",
            parameters,
            draftsPerEpoch: 1,
            complete: asDrafted<Batch>,
            program: () => Effect.sync(program),
          },
          draft: () => Effect.succeed(batch),
        },
        inputs: { files: [], models: Effect.succeed({}), resolved: null },
        ...{ facts: {}, versions: {}, statistics: {}, warnings: [], save: () => Effect.void },
      },
      Schema.decodeUnknownSync(TrainSettings)({ out: "nowhere", maxSteps: 1, ...given }),
    ).pipe(
      Effect.flatMap(({ objective }) => objective.program(batch)),
      Effect.scoped,
      Effect.provide(layer({ threads: 1 })),
    ),
  )
  return gradients?.nodes.length ?? 0
}

test("a run that recomputes has programs with more nodes", async () => {
  assert.ok((await nodes({ recompute: true })) > (await nodes({})))
})
