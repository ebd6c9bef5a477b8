import assert from "node:assert/strict"
import { describe, it } from "node:test"
import { tinyEncoder } from "@tandem/models"
import { float32 } from "@tandem/onnx"
import { FreezePatternError, TowerMismatchError } from "../src/Errors.ts"
import { encoderOf, jointParameters, sharedTower, towerFrom, trainableNames, untiedTowers } from "../src/Towers.ts"
import { smallEncoder, vocabulary } from "./support/Encoders.ts"

const [one, other] = [smallEncoder(1), smallEncoder(2)]
const names = [...one.parameters.keys()]
const bias = "encoder.layer.0.output.dense.bias"

describe("towers", () => {
  it("names the weights of a shared tower as the encoder does", () => {
    const towers = sharedTower(one)
    assert.deepEqual([...jointParameters(towers).keys()], names)
    assert.equal(encoderOf(towers, "query"), encoderOf(towers, "passage"))
  })

  it("puts the side before the names of untied towers", () => {
    const towers = untiedTowers(one, other)
    const joint = jointParameters(towers)
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
    assert.equal(towerFrom(sharedTower(one), "passage", { [bias]: changed }).weights[bias], changed)
  })

  it("refuses two encoders of different width", () => {
    const wide = tinyEncoder({ seed: 0, vocabulary, hidden: 32, layers: 1, heads: 2, intermediate: 32 })
    assert.throws(() => untiedTowers(one, wide), TowerMismatchError)
  })
})

describe("trainableNames", () => {
  it("trains everything where nothing is frozen", () => {
    assert.deepEqual(trainableNames(sharedTower(one)), names)
  })

  it("freezes whole names, with * for any characters", () => {
    const towers = sharedTower(one)
    const without = (test: (name: string) => boolean) => names.filter((name) => !test(name))
    assert.deepEqual(
      trainableNames(towers, ["embeddings.*"]),
      without((name) => name.startsWith("embeddings.")),
    )
    assert.deepEqual(
      trainableNames(towers, ["*layer.0.*", "*.bias"]),
      without((name) => name.includes("layer.0.") || name.endsWith(".bias")),
    )
    assert.deepEqual(
      trainableNames(towers, [bias]),
      without((name) => name === bias),
    )
  })

  it("freezes in both towers by bare name and in one by joint name", () => {
    const towers = untiedTowers(one, other)
    assert.ok(trainableNames(towers, ["embeddings.*"]).every((name) => !name.includes("/embeddings.")))
    assert.deepEqual(
      trainableNames(towers, ["passage/*"]),
      names.map((name) => `query/${name}`),
    )
  })

  it("refuses a pattern that names nothing: a dot is a dot and a part is no whole", () => {
    for (const pattern of ["embedding.*", "embeddings", "encoder.layer.9.*", "encoderXlayer.0*", ""]) {
      assert.throws(
        () => trainableNames(sharedTower(one), ["*.bias", pattern]),
        (error) => error instanceof FreezePatternError && error.found === pattern,
      )
    }
    assert.throws(() => trainableNames(sharedTower(one), ["*"]), FreezePatternError)
  })
})
