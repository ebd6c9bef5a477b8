// Gradients of whole encoders against PyTorch's, of graphs that this project builds and of PyTorch's own exports.
import assert from "node:assert/strict"
import { test } from "node:test"
import { differentiate, influences } from "@tandem/autodiff"
import { inBatchNll } from "@tandem/losses"
import { bertConfig, bertGraph, bertInputs, bertParameters, pickBertWeights, pool } from "@tandem/models"
import { withParameterInputs } from "@tandem/models/encoder/OnnxEncoder"
import { elementCount, type Graph, GraphBuilder, int64, readModel, type Tensor, upgrade } from "@tandem/onnx"
import { specialize } from "@tandem/runtime/Specialize"
import { execute, goldenBytes, goldenJson, goldenTensors, gradientError, onCpu } from "./support/Golden.ts"

const tolerance = 1e-4

const prefixed = (tensors: ReadonlyMap<string, Tensor>, prefix: string): ReadonlyMap<string, Tensor> =>
  new Map(
    [...tensors].flatMap(([name, value]) => (name.startsWith(prefix) ? [[name.slice(prefix.length), value]] : [])),
  )

const reference = (model: string) => {
  const tensors = goldenTensors(`${model}/reference.safetensors`)
  return {
    inputs: prefixed(tensors, "in."),
    weights: prefixed(tensors, "w."),
    gradients: prefixed(tensors, "g."),
    R: tensors.get("R")!,
    loss: Number(tensors.get("loss")!.data[0]),
  }
}

/** sum(out · R) / number of elements, behind an encoder whose parameters are inputs. */
const withLoss = (encoder: Graph, parameters: readonly string[], R: Tensor): Graph => {
  const g = new GraphBuilder()
  const stored = new Map([...encoder.initializers].filter(([name]) => parameters.includes(name)))
  const out = Object.values(g.callWithInputs(withParameterInputs(encoder, stored)).outputs)[0]!
  const product = g.mul(out, g.constant(R))
  return g.build({ loss: g.mul(g.reduceSum(product, [], false), g.scalar(1 / elementCount(R.dims))) }, encoder.name)
}

for (const model of ["bert-tiny", "distilbert-tiny"]) {
  test(`${model}: gradients of the built graph are PyTorch's`, async (t) => {
    const { inputs, gradients, R, loss } = reference(model)
    const config = bertConfig(goldenJson(`${model}/config.json`))
    const { parameters } = pickBertWeights(config, goldenTensors(`${model}/model.safetensors`))
    const wrt = bertParameters(config).map(({ name }) => name)
    const [batch = 0, tokens = 0] = inputs.get("input_ids")!.dims
    const graph = differentiate(withLoss(bertGraph(config, { batch, tokens }).graph, wrt, R), { loss: "loss", wrt })
    const feeds = Object.fromEntries([
      ...bertInputs(config).map((name) => [name, inputs.get(name)!] as const),
      ...parameters,
    ])
    const result = await execute(graph, feeds)
    assert.deepEqual([...gradients.keys()].sort(), [...wrt].sort())
    assert.ok(Math.abs(Number(result["loss"]!.data[0]) - loss) <= 1e-5)
    const worst = gradientError(gradients, (name) => result[`grad.${name}`])
    t.diagnostic(`${worst.name}: ${worst.error.toExponential(1)}`)
    assert.ok(worst.error <= tolerance, `${worst.name}: ${worst.error}`)
  })

  for (const file of ["dynamo.onnx", "script.onnx", "script-opset14.onnx"]) {
    test(`${model}: gradients of PyTorch's export ${file} are PyTorch's`, async (t) => {
      const { inputs, weights, gradients, R, loss } = reference(model)
      const exported = upgrade(readModel(goldenBytes(`${model}/${file}`)))
      const matches = matchWeights(exported, weights)
      assert.deepEqual([...matches.keys()].sort(), [...weights.keys()].sort())
      const wrt = [...matches.values()].map((match) => match.initializer)
      const shapes = Object.fromEntries(exported.inputs.map(({ name }) => [name, inputs.get(name)!.dims]))
      const encoder = await onCpu(specialize(exported, shapes, { parameters: new Set(wrt) }))
      const lossGraph = withLoss({ ...encoder, outputs: encoder.outputs.slice(0, 1) }, wrt, R)
      assert.deepEqual(influences(lossGraph, "loss", wrt), wrt)
      const graph = differentiate(lossGraph, { loss: "loss", wrt })
      const feeds = Object.fromEntries([
        ...exported.inputs.map(({ name }) => [name, inputs.get(name)!] as const),
        ...wrt.map((name) => [name, exported.initializers.get(name)!] as const),
      ])
      const result = await execute(graph, feeds)
      assert.ok(Math.abs(Number(result["loss"]!.data[0]) - loss) <= 1e-5)
      const worst = gradientError(gradients, (name) => {
        const { initializer, transposed } = matches.get(name)!
        const gradient = result[`grad.${initializer}`]
        return transposed && gradient !== undefined ? transpose(gradient) : gradient
      })
      t.diagnostic(`${worst.name}: ${worst.error.toExponential(1)}`)
      assert.ok(worst.error <= tolerance, `${worst.name}: ${worst.error}`)
    })
  }
}

const transpose = (value: Tensor): Tensor => {
  const [rows = 0, columns = 0] = value.dims
  const data = Float32Array.from({ length: rows * columns }, (_, index) =>
    Number(value.data[(index % rows) * columns + Math.floor(index / rows)]),
  )
  return { type: "float32", dims: [columns, rows], data }
}

const sameValues = (a: Tensor, b: Tensor): boolean =>
  `${a.dims}` === `${b.dims}` && a.data.every((value: unknown, index: number) => value === b.data[index])

/** Exporters rename and transpose weights, so each parameter is looked for by its values. */
const matchWeights = (graph: Graph, weights: ReadonlyMap<string, Tensor>) => {
  const matches = new Map<string, { readonly initializer: string; readonly transposed: boolean }>()
  for (const [name, weight] of weights) {
    const turned = weight.dims.length === 2 ? transpose(weight) : undefined
    for (const [initializer, value] of graph.initializers) {
      if (value.type !== "float32") continue
      if (sameValues(value, weight)) matches.set(name, { initializer, transposed: false })
      else if (turned !== undefined && sameValues(value, turned)) matches.set(name, { initializer, transposed: true })
    }
  }
  return matches
}

test("dual encoder: gradients of the first step are PyTorch's", async (t) => {
  const config = bertConfig(goldenJson("bert-tiny/config.json"))
  const { parameters } = pickBertWeights(config, goldenTensors("bert-tiny/model.safetensors"))
  const wrt = bertParameters(config).map(({ name }) => name)
  const step = prefixed(goldenTensors("dual-encoder/batches.safetensors"), "step00.")
  const g = new GraphBuilder()
  const feeds: Record<string, Tensor> = Object.fromEntries(parameters)
  const embed = (side: "query" | "passage") => {
    const dims = step.get(`${side}.input_ids`)!.dims
    const [batch = 0, tokens = 0] = dims
    const zeros = int64(dims, Array<number>(batch * tokens).fill(0))
    for (const name of bertInputs(config)) feeds[`${side}.${name}`] = step.get(`${side}.${name}`) ?? zeros
    const encoder = bertGraph(config, { batch, tokens }).graph
    const { inputs, outputs } = g.callWithInputs(encoder, (name) => (parameters.has(name) ? name : `${side}.${name}`))
    return pool(g, outputs["last_hidden_state"]!, inputs["attention_mask"]!, { mode: "mean", normalize: false })
  }
  const towers = { queries: embed("query"), passages: embed("passage") }
  const { loss } = inBatchNll(g, towers, { similarity: "cosine", temperature: 1 / 20 })
  const result = await execute(differentiate(g.build({ loss }), { loss: "loss", wrt }), feeds)
  const { losses } = goldenJson("dual-encoder/losses.json")
  assert.ok(Math.abs(Number(result["loss"]!.data[0]) - losses[0]) <= 1e-5)
  const expected = goldenTensors("dual-encoder/first-gradients.safetensors")
  assert.deepEqual([...expected.keys()].sort(), [...wrt].sort())
  const worst = gradientError(expected, (name) => result[`grad.${name}`])
  t.diagnostic(`${worst.name}: ${worst.error.toExponential(1)}`)
  assert.ok(worst.error <= tolerance, `${worst.name}: ${worst.error}`)
})
