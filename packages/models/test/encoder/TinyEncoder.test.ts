import assert from "node:assert/strict"
import { test } from "node:test"
import { bytesOf } from "@tandem/onnx"
import { tinyEncoder } from "../../src/encoder/TinyEncoder.ts"
import { trainWordPiece } from "../../src/tokenizer/WordPiece.ts"

const vocabulary = trainWordPiece(["the river was long and the long river was wide"], { vocabularySize: 60 })

test("the same seed gives the same weights, another seed others", () => {
  const [a, b, c] = [7, 7, 8].map((seed) => tinyEncoder({ seed, vocabulary }))
  for (const [name, value] of a!.parameters) assert.deepEqual(b!.parameters.get(name), value)
  const name = "encoder.layer.1.output.dense.weight"
  assert.notDeepEqual(c!.parameters.get(name), a!.parameters.get(name))
})

test("weights have deviation 0.02 cut at two deviations, biases are 0 and norms 1", () => {
  const { parameters, config } = tinyEncoder({ seed: 1, vocabulary, hidden: 64, layers: 3, heads: 2, intermediate: 96 })
  assert.deepEqual([config.layers, config.hiddenSize, config.intermediateSize], [3, 64, 96])
  for (const [name, value] of parameters) {
    const numbers = Array.from(value.data, Number)
    if (name.endsWith("LayerNorm.weight")) assert.ok(numbers.every((x) => x === 1))
    else if (name.endsWith("bias")) assert.ok(numbers.every((x) => x === 0))
    else {
      assert.ok(numbers.every((x) => Math.abs(x) <= 0.04000001))
      const deviation = Math.sqrt(numbers.reduce((sum, x) => sum + x * x, 0) / numbers.length)
      // A normal distribution cut off at two deviations has 0.88 of its deviation left.
      if (numbers.length > 3000) assert.ok(Math.abs(deviation - 0.0176) < 0.0006, `${name}: ${deviation}`)
    }
  }
})

test("the first weights of a seed are the same on every engine", () => {
  const { parameters } = tinyEncoder({ seed: 0, vocabulary, hidden: 8, layers: 1, heads: 2, intermediate: 8 })
  const bytes = bytesOf(parameters.get("embeddings.word_embeddings.weight")!)
  assert.equal(Buffer.from(bytes.subarray(0, 16)).toString("hex"), "fe683f3bf5dc443cd1504bbc54f7913b")
})
