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
  // Buffers that only states meet: zeros that are added, and Whisper's positions, random numbers in place of its sinusoids.
  assert.deepEqual(further, [
    "bart/dynamo.onnx model.final_logits_bias",
    "bart/script.onnx onnx::Add_1121",
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

/** The table `[rows, columns]` or `[…, rows, columns]` of a function of row and column. */
const table = (dims: readonly number[], of: (row: number, column: number) => number): Tensor => {
  const [rows = 0, columns = 0] = dims.slice(-2)
  const size = dims.reduce((a, b) => a * b, 1)
  return float32(
    dims,
    Float32Array.from({ length: size }, (_, i) => of(Math.floor(i / columns) % rows, i % columns)),
  )
}

test("tables of rotary angles are told by their values", () => {
  const turns = (turn: (angle: number) => number) => table([30, 8], (row, column) => turn(row / 10 ** column))
  const found = settingsIn((g, ids, states) => {
    const [cos, sin] = [g.initializer("c", turns(Math.cos)), g.initializer("s", turns(Math.sin))]
    return g.add(g.mul(states, g.gather(cos, ids)), g.mul(g.neg(states), g.gather(sin, ids)))
  })
  assert.deepEqual(found, ["c", "s"])
})

test("stored positions and frequencies whose sines and cosines are taken are settings", () => {
  const found = settingsIn((g, _, states) => {
    const places = g.slice(g.initializer("places", waves([30, 1], 1)), 0, 0, 4)
    const angles = g.mul(places, g.initializer("frequencies", waves([8], 2)))
    return g.mul(states, g.op("Cos", [angles])[0]!)
  })
  assert.deepEqual(found, ["places", "frequencies"])
})

/** Whether a table that is added to states `[2, 4, 8]` by its first rows and columns is a setting. */
const isSettingAmongStates = (stored: Tensor): boolean =>
  settingsIn((g, _, states) => {
    const cut = g.slice(g.slice(g.initializer("table", stored), -2, 0, 4), -1, 0, 8)
    return g.add(states, cut)
  }).includes("table")

const sinusoid = (row: number, column: number): number =>
  column < 4 ? Math.sin(row / 7 ** column) : Math.cos(row / 7 ** (column - 4))

test("sinusoids are told by their values, halves or turns, a row of zeros for padding left aside", () => {
  assert.ok(isSettingAmongStates(table([30, 8], sinusoid)))
  assert.ok(
    isSettingAmongStates(table([30, 8], (row, column) => sinusoid(row, Math.floor(column / 2) + 4 * (column % 2)))),
  )
  assert.ok(isSettingAmongStates(table([30, 8], (row, column) => (row === 0 ? 0 : sinusoid(row, column)))))
})

test("biases and masks that follow from distance are told by their values", () => {
  assert.ok(isSettingAmongStates(table([2, 9, 9], (row, column) => -0.3 * Math.abs(row - column))))
  assert.ok(isSettingAmongStates(table([1, 1, 9, 9], (row, column) => (row < column ? -Infinity : 0))))
  assert.ok(isSettingAmongStates(table([9, 9], (row, column) => (row < column ? 0 : 1))))
  assert.ok(isSettingAmongStates(table([2, 5, 9], (_, column) => 0.7 * (column - 8))))
})

test("values that trained weights or weights of the start may have are no tables of positions", () => {
  const matrices = {
    "sinusoids that were trained": (row: number, column: number) =>
      sinusoid(row, column) + 1e-2 * Math.sin(row * column),
    "biases that were trained": (row: number, column: number) => Math.abs(row - column) + 1e-3 * Math.sin(row * column),
    identity: (row: number, column: number) => (row === column ? 1 : 0),
    ones: () => 1,
    zeros: () => 0,
    signs: (row: number, column: number) => (Math.sin(row * row + 3 * column) > 0 ? 0.5 : -0.5),
    "one of eight": (row: number, column: number) => (column === (3 * row) % 8 ? 1 : 0),
  }
  for (const [name, of] of Object.entries(matrices)) {
    for (const rows of [8, 30]) assert.ok(!isSettingAmongStates(table([rows, 8], of)), `${name}, ${rows} rows`)
  }
})

test("zeros for the bias of a norm that has none are a setting, where the scale was trained", () => {
  const found = (scale: Tensor, isAdded = false) =>
    settingsIn((g, _, states) => {
      const [weight, bias] = [g.initializer("scale", scale), g.initializer("bias", float32([8], new Float32Array(8)))]
      const normal = g.op("LayerNormalization", [states, weight, bias])[0]!
      return isAdded ? g.add(normal, bias) : normal
    })
  assert.deepEqual(found(waves([8], 1)), ["bias"])
  assert.deepEqual(found(float32([8], new Float32Array(8).fill(1))), [], "weights of the start")
  assert.deepEqual(found(waves([8], 1), true), [], "something else reads it, too")
})
