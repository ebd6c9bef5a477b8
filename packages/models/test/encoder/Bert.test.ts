import assert from "node:assert/strict"
import { test } from "node:test"
import { tensor } from "@tandem/onnx"
import { InvalidEncoder, SequenceTooLong, UnsupportedEncoder } from "../../src/Errors.ts"
import { bertConfig, pickBertWeights } from "../../src/encoder/Bert.ts"
import { bertGraph } from "../../src/encoder/BertGraph.ts"
import { goldenJson, goldenTensors } from "../support/Golden.ts"

test("configs and weights that do not fit are named", () => {
  const json = goldenJson("bert-tiny/config.json")
  const config = bertConfig(json)
  const tensors = goldenTensors("bert-tiny/model.safetensors")
  const fails = (body: () => unknown, kind: typeof InvalidEncoder | typeof UnsupportedEncoder, text: RegExp) =>
    assert.throws(body, (error) => error instanceof kind && text.test(error.message))
  fails(() => bertConfig([]), InvalidEncoder, /not a JSON object/)
  fails(() => bertConfig({ ...json, hidden_size: "x" }), InvalidEncoder, /hidden_size/)
  fails(() => bertConfig({ ...json, num_attention_heads: 5 }), InvalidEncoder, /multiple/)
  fails(() => bertConfig({ ...json, model_type: "modernbert" }), UnsupportedEncoder, /modernbert/)
  fails(() => bertConfig({ ...json, position_embedding_type: "relative_key" }), UnsupportedEncoder, /relative_key/)
  fails(() => bertConfig({ ...json, hidden_act: "swish" }), UnsupportedEncoder, /hidden_act/)
  const name = "encoder.layer.1.output.dense.weight"
  const without = new Map([...tensors].filter(([key]) => key !== name))
  fails(() => pickBertWeights(config, without), InvalidEncoder, new RegExp(name))
  const wrong = new Map([...tensors, [name, tensor("float32", [1], new Float32Array(1))]])
  fails(() => pickBertWeights(config, wrong), InvalidEncoder, /another shape/)
  fails(() => pickBertWeights(config, new Map()), InvalidEncoder, /no encoder/)
  assert.throws(() => bertGraph(config, { batch: 1, tokens: 65 }), SequenceTooLong)
  assert.throws(() => bertGraph(config, { batch: 0, tokens: 5 }), InvalidEncoder)
})
