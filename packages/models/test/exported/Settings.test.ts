import assert from "node:assert/strict"
import { existsSync, readdirSync } from "node:fs"
import { test } from "node:test"
import { fileURLToPath } from "node:url"
import { float32, GraphBuilder, int64, readModel, type Tensor, type Value } from "@tandem/onnx"
import { readSafetensors } from "@tandem/safetensors"
import { matchParameters } from "../../src/exported/MatchParameters.ts"
import { prepareGraph } from "../../src/exported/PrepareGraph.ts"
import { settingsOf } from "../../src/exported/Settings.ts"
import { storedSettings, storedTensors, weightsOf } from "../../src/exported/TrainableParameters.ts"
import { goldenBytes } from "../support/Golden.ts"

const folder = "exports/"
const root = fileURLToPath(new URL(`../../../../test/golden/${folder}`, import.meta.url))
const architectures = readdirSync(root)
  .filter((name) => existsSync(`${root}${name}/reference.safetensors`))
  .sort()

test("in exports of every architecture, what PyTorch trains is a weight and what it does not is a setting", () => {
  const further: string[] = []
  for (const name of architectures) {
    const { tensors } = readSafetensors(goldenBytes(`${folder}${name}/reference.safetensors`))
    const of = (letter: string): ReadonlyMap<string, Tensor> =>
      new Map([...tensors].flatMap(([key, value]) => (key.startsWith(letter) ? [[key.slice(2), value]] : [])))
    for (const file of ["dynamo.onnx", "script.onnx"]) {
      if (!existsSync(`${root}${name}/${file}`)) continue
      const model = readModel(goldenBytes(`${folder}${name}/${file}`))
      const settings = storedSettings(model)
      const { matched } = matchParameters(storedTensors(model), of("w."), of("g."))
      const parameters = new Set(matched.flatMap(({ partners }) => partners.map((partner) => partner.name)))
      assert.deepEqual(
        [...settings.keys()].filter((setting) => parameters.has(setting)),
        [],
        `${name}/${file}`,
      )
      const weights = [...weightsOf(model, prepareGraph(model)).keys()]
      further.push(...weights.filter((weight) => !parameters.has(weight)).map((weight) => `${name}/${file} ${weight}`))
    }
  }
  // Buffers that only states meet: zeros that are added, biases of norms that have none, Whisper's sinusoids.
  const zeros = ["embeddings/norm", "layers.0/mlp_norm", "layers.1/attn_norm", "layers.1/mlp_norm", "final_norm"]
  assert.deepEqual(further, [
    "bart/dynamo.onnx model.final_logits_bias",
    "bart/script.onnx onnx::Add_1121",
    ...zeros.map((norm) => `modernbert/script.onnx /model/${norm}/Constant_output_0`),
    "whisper/dynamo.onnx embedding",
  ])
})

const waves = (dims: readonly number[], phase: number): Tensor =>
  float32(
    dims,
    Float32Array.from({ length: dims.reduce((a, b) => a * b, 1) }, (_, i) => Math.sin(i * i + phase)),
  )

/** Names of the settings of a graph with ids [2, 4] and embeddings [2, 4, 8] of them. */
const settingsIn = (build: (g: GraphBuilder, ids: Value, states: Value, positions: Value) => Value) => {
  const g = new GraphBuilder()
  const ids = g.input("input_ids", "int64", [2, 4])
  const states = g.gather(g.initializer("words", waves([30, 8], 1)), ids)
  const positions = g.cast(g.op("CumSum", [ids, g.constant(int64([], [1]))])[0]!, "float32")
  return [...settingsOf(g.build({ out: build(g, ids, states, positions) }, "model")).keys()]
}

test("slopes of ALiBi are settings, through moves and conversions", () => {
  const found = settingsIn((g, _, states, positions) => {
    const slopes = g.unsqueeze(g.initializer("slopes", float32([8], [2, 1, 0.5, 0.25, 0.1, 0.05, 0.02, 0.01])), [0])
    return g.add(states, g.mul(g.unsqueeze(positions, [2]), slopes))
  })
  assert.deepEqual(found, ["slopes"])
})

test("frequencies as one side of an outer product are settings, a projection of numbers is none", () => {
  const angles = (g: GraphBuilder, states: Value, positions: Value) =>
    g.add(states, g.matmul(g.unsqueeze(positions, [2]), g.initializer("frequencies", waves([1, 8], 2))))
  assert.deepEqual(
    settingsIn((g, _, states, positions) => angles(g, states, positions)),
    ["frequencies"],
  )
  const projected = settingsIn((g, _, states, positions) =>
    g.add(states, g.unsqueeze(g.matmul(positions, g.initializer("projection", waves([4, 8], 2))), [1])),
  )
  assert.deepEqual(projected, [])
})

test("tables that are looked up, slices of tables, norms and what weights are made of are weights", () => {
  const found = settingsIn((g, _, states, positions) => {
    const places = g.gather(g.initializer("places", waves([30, 8], 3)), g.cast(positions, "int64"))
    const sliced = g.slice(g.initializer("table", waves([1, 30, 8], 4)), 1, 0, 4)
    const scaled = g.mul(g.initializer("direction", waves([8, 8], 5)), g.initializer("length", waves([8], 6)))
    return g.mul(g.matmul(g.add(g.add(states, places), sliced), scaled), g.initializer("scale", waves([8], 7)))
  })
  assert.deepEqual(found, [])
})

test("a value that is combined with positions and with states is a weight", () => {
  const found = settingsIn((g, _, states, positions) => {
    const both = g.initializer("both", waves([8], 8))
    return g.add(g.mul(states, both), g.mul(g.unsqueeze(positions, [2]), both))
  })
  assert.deepEqual(found, [])
})

test("tables of rotary angles are told by their values", () => {
  const table = (turn: (angle: number) => number) =>
    float32(
      [30, 8],
      Float32Array.from({ length: 240 }, (_, i) => turn(Math.floor(i / 8) / 10 ** (i % 8))),
    )
  const found = settingsIn((g, ids, states) => {
    const [cos, sin] = [g.initializer("c", table(Math.cos)), g.initializer("s", table(Math.sin))]
    return g.add(g.mul(states, g.gather(cos, ids)), g.mul(g.neg(states), g.gather(sin, ids)))
  })
  assert.deepEqual(found, ["c", "s"])
})
