// LoRA adapters against PEFT's: gradients, merged weights, and files that either side reads.
import assert from "node:assert/strict"
import { describe, it, type TestContext } from "node:test"
import { addLora, differentiate, type LoraGraph, mergeAdapters } from "@tandem/autodiff"
import { answerNll } from "@tandem/losses"
import {
  attachPeftAdapter,
  bertConfig,
  bertGraph,
  decoderConfig,
  decoderGraph,
  modulesByValue,
  peftConfigJson,
  peftTensors,
  readPeftAdapter,
  readPeftConfig,
  toPeftAdapter,
} from "@tandem/models"
import {
  bool,
  elementCount,
  type Graph,
  GraphBuilder,
  int64,
  readModel,
  type Tensor,
  toNumbers,
  upgrade,
} from "@tandem/onnx"
import { specialize } from "@tandem/runtime/Specialize"
import { writeSafetensors } from "@tandem/safetensors"
import { execute, goldenBytes, goldenJson, goldenTensors, gradientError, onCpu } from "./support/Golden.ts"
import { writtenAdapters } from "./support/WrittenAdapters.ts"

const tolerance = 1e-4
const dropped = (tensors: ReadonlyMap<string, Tensor>, prefix: string): ReadonlyMap<string, Tensor> =>
  new Map(
    [...tensors].flatMap(([name, value]) => (name.startsWith(prefix) ? [[name.slice(prefix.length), value]] : [])),
  )

const peftAdapter = (folder: string) =>
  readPeftAdapter(
    readPeftConfig(goldenJson(`${folder}/adapter_config.json`)),
    goldenTensors(`${folder}/adapter_model.safetensors`),
  )

/** A forward graph with the golden loss, its weights as inputs or initializers, and what it is fed with. */
interface Base {
  readonly graph: Graph
  readonly feeds: Readonly<Record<string, Tensor>>
  readonly weights: ReadonlyMap<string, Tensor>
}

const withBertLoss = (encoder: Graph, R: Tensor): Graph => {
  const g = new GraphBuilder()
  const weights = Object.fromEntries(
    [...encoder.initializers].map(([name, value]) => [name, g.initializer(name, value)]),
  )
  const out = Object.values(g.callWithInputs(encoder, (name) => name, weights).outputs)[0]!
  const loss = g.mul(g.reduceSum(g.mul(out, g.constant(R)), [], false), g.scalar(1 / elementCount(R.dims)))
  return g.build({ loss, out })
}

const bertBase = (): Base => {
  const reference = goldenTensors("lora/bert/reference.safetensors")
  const weights = goldenTensors("bert-tiny/model.safetensors")
  const inputs = dropped(reference, "in.")
  const [batch = 0, tokens = 0] = inputs.get("input_ids")!.dims
  const { graph } = bertGraph(bertConfig(goldenJson("bert-tiny/config.json")), { batch, tokens })
  return {
    graph: withBertLoss(graph, reference.get("R")!),
    feeds: Object.fromEntries([...inputs, ...weights]),
    weights,
  }
}

/** Mean negative log-likelihood of the labels, each read off the place before it. */
const decoderBase = (name: string): Base => {
  const inputs = dropped(goldenTensors(`lora/${name}/reference.safetensors`), "in.")
  const weights = goldenTensors(`decoders/${name}/model.safetensors`)
  const config = decoderConfig(goldenJson(`decoders/${name}/config.json`))
  const [batch = 0, tokens = 0] = inputs.get("input_ids")!.dims
  const labels = toNumbers(inputs.get("labels")!)
  const behind = labels.map((_, at) => ((at + 1) % tokens === 0 ? -100 : labels[at + 1]!))
  const { graph: decoder } = decoderGraph(config, { batch, tokens })
  const g = new GraphBuilder()
  const logits = g.callWithInputs(decoder).outputs["logits"]!
  const targets = g.constant(int64([batch, tokens], behind))
  const mask = g.constant(
    bool(
      [batch, tokens],
      behind.map((label) => label >= 0),
    ),
  )
  const { loss } = answerNll(g, { logits, targets, mask })
  const known = new Set(decoder.inputs.map((input) => input.name))
  const feeds = [...inputs, ...weights].filter(([input]) => known.has(input))
  return {
    graph: g.build({ loss, logits }),
    feeds: Object.fromEntries(feeds),
    weights,
  }
}

const bases: Readonly<Record<string, () => Base>> = {
  bert: bertBase,
  llama: () => decoderBase("llama"),
  gpt2: () => decoderBase("gpt2"),
}

const gradientsOf = async (
  lora: LoraGraph,
  feeds: Readonly<Record<string, Tensor>>,
  values: Iterable<readonly [string, Tensor]>,
) => {
  const wrt = lora.adapters.flatMap(({ a, b }) => [a, b])
  const masks = lora.dropout.map(({ input }) => {
    const dims = (lora.graph.inputs.find(({ name }) => name === input)?.dims ?? []).map(Number)
    return [input, { type: "bool", dims, data: new Uint8Array(elementCount(dims)).fill(1) } satisfies Tensor] as const
  })
  const graph = differentiate(lora.graph, { loss: "loss", wrt })
  return execute(graph, { ...feeds, ...Object.fromEntries(values), ...Object.fromEntries(masks) })
}

const assertGradients = (
  t: TestContext,
  folder: string,
  lora: LoraGraph,
  result: Readonly<Record<string, Tensor>>,
): void => {
  const reference = goldenTensors(`${folder}/reference.safetensors`)
  const expected = new Map(
    [...dropped(reference, "g.base_model.model.")].map(([name, value]) => [name, value] as const),
  )
  assert.deepEqual([...expected.keys()].sort(), lora.adapters.flatMap(({ a, b }) => [a, b]).sort())
  assert.ok(Math.abs(Number(result["loss"]!.data[0]) - Number(reference.get("loss")!.data[0])) <= 1e-5)
  const worst = gradientError(expected, (name) => result[`grad.${name}`])
  t.diagnostic(`${worst.name}: ${worst.error.toExponential(1)}`)
  assert.ok(worst.error <= tolerance, `${worst.name}: ${worst.error}`)
}

const largestDifference = (a: Tensor, b: Tensor): number => {
  const [x, y] = [toNumbers(a), toNumbers(b)]
  assert.equal(x.length, y.length)
  return Math.max(...x.map((value, index) => Math.abs(value - y[index]!)))
}

/** What stands at padding means nothing, and every implementation has something else there. */
const atRealTokens = (tensor: Tensor, mask: readonly number[]): Tensor => {
  if (tensor.dims.length < 3) return tensor
  const width = tensor.dims.at(-1)!
  const data = toNumbers(tensor).map((value, index) => (mask[Math.floor(index / width)] === 1 ? value : 0))
  return { ...tensor, data: Float32Array.from(data) }
}

for (const [name, makeBase] of Object.entries(bases)) {
  describe(`PEFT's adapters on ${name}`, () => {
    const adapter = peftAdapter(`lora/${name}`)
    // PEFT's figures are those without dropout
    const still = { ...adapter, config: { ...adapter.config, dropout: 0 } }

    it("have PEFT's gradients", async (t) => {
      const { graph, feeds } = makeBase()
      const { settings, values } = attachPeftAdapter(still, graph)
      const lora = addLora(graph, settings)
      assertGradients(t, `lora/${name}`, lora, await gradientsOf(lora, feeds, values))
    })

    it("are merged as PEFT merges them, and then compute the same", async () => {
      const { graph, feeds, weights } = makeBase()
      const { settings, values } = attachPeftAdapter(still, graph)
      const lora = addLora(graph, settings)
      const merged = mergeAdapters(lora.adapters, weights, values)
      const expected = dropped(goldenTensors(`lora/${name}/reference.safetensors`), "m.")
      assert.deepEqual([...merged.keys()].sort(), [...expected.keys()].sort())
      for (const [weight, value] of expected) {
        assert.ok(largestDifference(merged.get(weight)!, value) <= 1e-6, weight)
      }
      const [unmerged, plain] = [
        await execute(lora.graph, { ...feeds, ...Object.fromEntries(values) }),
        await execute(graph, { ...feeds, ...Object.fromEntries(merged) }),
      ]
      for (const output of Object.keys(plain)) {
        const scale = Math.max(1, ...toNumbers(plain[output]!).map(Math.abs))
        assert.ok(largestDifference(plain[output]!, unmerged[output]!) <= 1e-5 * scale, output)
      }
    })

    it("are written back with the same names and values", () => {
      const { graph } = makeBase()
      const { settings, values } = attachPeftAdapter(adapter, graph)
      const { adapters } = addLora(graph, settings)
      const { taskType = "", baseModel = "", fanInFanOut } = adapter.config
      const again = toPeftAdapter(settings, adapters, values, { taskType, baseModel, fanInFanOut })
      const tensors = goldenTensors(`lora/${name}/adapter_model.safetensors`)
      assert.deepEqual(new Map([...peftTensors(again)].sort()), new Map([...tensors].sort()))
      const { targetModules: _, ...config } = again.config
      const { targetModules: __, ...expected } = adapter.config
      assert.deepEqual(config, expected)
    })
  })
}

/** PyTorch's export of bert-tiny for the golden batch; its weights are initializers under the exporter's names. */
const exportedBert = async (file: string) => {
  const inputs = dropped(goldenTensors("lora/bert/reference.safetensors"), "in.")
  const exported = upgrade(readModel(goldenBytes(`bert-tiny/${file}`)))
  const shapes = Object.fromEntries(exported.inputs.map((input) => [input.name, inputs.get(input.name)!.dims]))
  const encoder = await onCpu(specialize(exported, shapes, { parameters: new Set(exported.initializers.keys()) }))
  const R = goldenTensors("lora/bert/reference.safetensors").get("R")!
  const graph = withBertLoss({ ...encoder, outputs: encoder.outputs.slice(0, 1) }, R)
  return { graph, feeds: Object.fromEntries(exported.inputs.map((input) => [input.name, inputs.get(input.name)!])) }
}

describe("PEFT's adapters on PyTorch's exports, whose weights have other names", () => {
  const adapter = peftAdapter("lora/bert")
  const still = { ...adapter, config: { ...adapter.config, dropout: 0 } }
  const checkpoint = goldenTensors("bert-tiny/model.safetensors")

  for (const [file, how] of [
    ["dynamo.onnx", "values"],
    ["script.onnx", "values"],
    ["script.onnx", "nodes' names"],
  ] as const) {
    it(`have PEFT's gradients on ${file}, modules told by the weights' ${how}`, async (t) => {
      const { graph, feeds } = await exportedBert(file)
      const modules = how === "values" ? modulesByValue(graph.initializers, checkpoint) : undefined
      const { settings, values } = attachPeftAdapter(still, graph, modules)
      const lora = addLora(graph, settings)
      assertGradients(t, "lora/bert", lora, await gradientsOf(lora, feeds, values))
    })
  }

  it("are refused where neither names nor values tell the modules", async () => {
    const { graph } = await exportedBert("dynamo.onnx")
    assert.throws(() => attachPeftAdapter(still, graph), { _tag: "InvalidAdapter", hint: /safetensors/ })
  })
})

describe("adapters that are made here", () => {
  for (const name of ["bert", "llama"] as const) {
    it(`give the files that PEFT was shown, and compute what it then computed: ${name}`, async () => {
      const { graph, feeds } = bases[name]!()
      const { adapter, settings, values } = writtenAdapters(name)
      const folder = `lora/written/${name}`
      const bytes = writeSafetensors(peftTensors(adapter), { format: "pt" })
      assert.deepEqual(bytes, goldenBytes(`${folder}/adapter_model.safetensors`))
      assert.deepEqual(peftConfigJson(adapter.config), goldenJson(`${folder}/adapter_config.json`))
      const lora = addLora(graph, { ...settings, dropout: 0 })
      const found = await execute(lora.graph, { ...feeds, ...Object.fromEntries(values) })
      const mask = toNumbers(feeds["attention_mask"]!)
      for (const [output, value] of goldenTensors(`${folder}/out.safetensors`)) {
        const real = (tensor: Tensor) => atRealTokens(tensor, mask)
        assert.ok(largestDifference(real(found[output]!), real(value)) <= 1e-4, output)
      }
    })
  }
})
