// LoRA on exports that nobody here wrote: every linear layer is found, whatever the exporter made of its weight, and the
// merged model computes what the adapted one does.
import assert from "node:assert/strict"
import { existsSync, readdirSync } from "node:fs"
import { test } from "node:test"
import { fileURLToPath } from "node:url"
import { addLora, differentiate, initialAdapters, linearModules, mergeAdapters } from "@tandem/autodiff"
import { modulesByValue } from "@tandem/models"
import { matchParameters } from "@tandem/models/exported/MatchParameters"
import { onlyOutputs, prepareGraph } from "@tandem/models/exported/PrepareGraph"
import { elementCount, float32, GraphBuilder, readModel, type Tensor, toNumbers } from "@tandem/onnx"
import { specialize } from "@tandem/runtime/Specialize"
import { execute, goldenBytes, goldenTensors, onCpu } from "./support/Golden.ts"

const root = fileURLToPath(new URL("./golden/exports/", import.meta.url))
const exports = readdirSync(root, { recursive: true, encoding: "utf8" })
  .map((path) => path.replaceAll("\\", "/"))
  .filter((path) => /\/(dynamo|script|contrib(-mha|-gqa|-gqa-packed)?)\.onnx$/.test(path))
  .sort()

const part = (tensors: ReadonlyMap<string, Tensor>, prefix: string): ReadonlyMap<string, Tensor> =>
  new Map(
    [...tensors].flatMap(([name, value]) => (name.startsWith(prefix) ? [[name.slice(prefix.length), value]] : [])),
  )

/** The graphs of contributed operators have references of their own where their model is another one. */
const referenceOf = (path: string): string => {
  const own = path.replace(/\/contrib[^/]*$/, "/contrib.safetensors")
  return `exports/${existsSync(`${root}${own}`) && own !== path ? own : path.replace(/[^/]+$/, "reference.safetensors")}`
}

for (const path of exports) {
  test(`${path}: merged adapters compute what they do beside the weights`, async (t) => {
    const reference = goldenTensors(referenceOf(path))
    const [inputs, weights] = [part(reference, "in."), part(reference, "w.")]
    const prepared = prepareGraph(readModel(goldenBytes(`exports/${path}`)))
    const model = onlyOutputs(prepared, [prepared.outputs[0]!.name])
    const { matched } = matchParameters(model.initializers, weights, new Map())
    const parameters = new Set(matched.flatMap(({ partners }) => partners.map(({ name }) => name)))
    const shapes = Object.fromEntries(model.inputs.map(({ name }) => [name, inputs.get(name)!.dims]))
    const graph = await onCpu(specialize(model, shapes, { parameters }))
    const modules = modulesByValue(graph.initializers, weights)
    const lora = addLora(graph, { rank: 2, alpha: 4, targets: "all-linear", modules })
    // Every layer that PyTorch has a matrix for, but embeddings and what is tied to them
    const named = lora.adapters.filter(({ module }) => weights.has(`${module}.weight`))
    assert.deepEqual(
      lora.adapters.map(({ module }) => module),
      named.map(({ module }) => module),
    )
    t.diagnostic(`${named.length} of ${linearModules(graph, modules).length} linear layers`)
    // XLNet's attention is made of Einsum
    assert.ok(named.length >= (path.startsWith("xlnet") ? 4 : 6))
    const values = new Map(initialAdapters(lora.adapters, 3))
    for (const [index, { b, outputs, rank }] of lora.adapters.entries()) {
      const [numbers] = initialAdapters([{ ...lora.adapters[index]!, rank: outputs, inputs: rank }], 4).values()
      values.set(b, float32([outputs, rank], numbers!.data))
    }
    const feeds = Object.fromEntries(model.inputs.map(({ name }) => [name, inputs.get(name)!]))
    const [name = ""] = graph.outputs.map((output) => output.name)
    const unmerged = (await execute(lora.graph, { ...feeds, ...Object.fromEntries(values) }))[name]!
    const merged = new Map([...graph.initializers, ...mergeAdapters(lora.adapters, graph.initializers, values)])
    const plain = (await execute({ ...graph, initializers: merged }, feeds))[name]!
    const base = (await execute(graph, feeds))[name]!
    const scale = Math.max(1, ...toNumbers(plain).map(Math.abs))
    assert.ok(difference(unmerged, plain) <= 1e-5 * scale, `${difference(unmerged, plain)}`)
    assert.ok(difference(unmerged, base) > 1e-2 * scale, "the adapters change the model")
    const g = new GraphBuilder()
    const out = g.callWithInputs(lora.graph).outputs[name]!
    const loss = g.mul(g.reduceSum(out, [], false), g.scalar(1 / elementCount(plain.dims)))
    const wrt = lora.adapters.flatMap(({ a, b }) => [a, b])
    assert.equal(differentiate(g.build({ loss }), { loss: "loss", wrt }).outputs.length, 1 + wrt.length)
  })
}

const difference = (a: Tensor, b: Tensor): number => {
  const [x, y] = [toNumbers(a), toNumbers(b)]
  return Math.max(...x.map((value, index) => Math.abs(value - y[index]!)))
}
