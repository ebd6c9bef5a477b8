import assert from "node:assert/strict"
import { describe, it } from "node:test"
import { tinyEncoder } from "@tandem/models"
import { float32 } from "@tandem/onnx"
import { TowerMismatchError } from "../src/Errors.ts"
import { encoderOf, sharedTower, towerFrom, towerParameters, untiedTowers } from "../src/Towers.ts"
import { smallEncoder, vocabulary } from "./support/Encoders.ts"

const [one, other] = [smallEncoder(1), smallEncoder(2)]
const names = [...one.parameters.keys()]
const bias = "encoder.layer.0.output.dense.bias"

describe("towers", () => {
  it("names the weights of a shared tower after the part query", () => {
    const towers = sharedTower(one)
    assert.deepEqual(
      [...towerParameters(towers).keys()],
      names.map((name) => `query/${name}`),
    )
    assert.equal(encoderOf(towers, "query"), encoderOf(towers, "passage"))
  })

  it("puts the side before the names of untied towers", () => {
    const towers = untiedTowers(one, other)
    const joint = towerParameters(towers)
    assert.deepEqual(
      [...joint.keys()],
      [...names.map((name) => `query/${name}`), ...names.map((name) => `passage/${name}`)],
    )
    assert.equal(joint.get(`query/${bias}`), one.parameters.get(bias))
    assert.equal(joint.get(`passage/${bias}`), other.parameters.get(bias))
  })

  it("takes one side's weights out of the joint ones, and the encoder's own for the rest", () => {
    const towers = untiedTowers(one)
    const changed = float32([16], new Float32Array(16).fill(3))
    const passage = towerFrom(towers, "passage", { [`passage/${bias}`]: changed })
    assert.equal(passage.weights[bias], changed)
    assert.equal(passage.weights[names[0]!], one.parameters.get(names[0]!))
    assert.equal(towerFrom(towers, "query", { [`passage/${bias}`]: changed }).weights[bias], one.parameters.get(bias))
    assert.equal(towerFrom(sharedTower(one), "passage", { [`query/${bias}`]: changed }).weights[bias], changed)
  })

  it("refuses two encoders of different width", () => {
    const wide = tinyEncoder({ seed: 0, vocabulary, hidden: 32, layers: 1, heads: 2, intermediate: 32 })
    assert.throws(() => untiedTowers(one, wide), TowerMismatchError)
  })
})
