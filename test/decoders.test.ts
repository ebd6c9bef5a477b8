// Decoder-only language models built from config and weights, against PyTorch: logits, losses, gradients, a training run.
import assert from "node:assert/strict"
import { test } from "node:test"
import { differentiate } from "@tandem/autodiff"
import { answerNll } from "@tandem/losses"
import {
  type DecoderConfig,
  decoderConfig,
  decoderGraph,
  type LanguageModelWeights,
  pickDecoderWeights,
} from "@tandem/models"
import { bool, type Graph, GraphBuilder, int64, type Tensor, toNumbers } from "@tandem/onnx"
import {
  type AdamWSettings,
  adamW,
  asDrafted,
  type Batch,
  Checkpoints,
  type Program,
  type TrainEvent,
  train,
} from "@tandem/trainers"
import { Effect } from "effect"
import { execute, goldenJson, goldenTensors, gradientError, onCpu } from "./support/Golden.ts"

const tolerance = 1e-4

const prefixed = (tensors: ReadonlyMap<string, Tensor>, prefix: string): ReadonlyMap<string, Tensor> =>
  new Map(
    [...tensors].flatMap(([name, value]) => (name.startsWith(prefix) ? [[name.slice(prefix.length), value]] : [])),
  )

const weightsOf = (name: string): ReadonlyMap<string, Tensor> =>
  name === "qwen2"
    ? new Map([1, 2].flatMap((part) => [...goldenTensors(`decoders/qwen2/model-0000${part}-of-00002.safetensors`)]))
    : goldenTensors(`decoders/${name}/model.safetensors`)

/** Places whose logits predict a labelled token, and that token. */
const answers = (labels: Tensor): { readonly places: readonly number[]; readonly targets: readonly number[] } => {
  const [, width = 0] = labels.dims
  const marked = toNumbers(labels).flatMap((label, place) => (label < 0 || place % width === 0 ? [] : [place]))
  return { places: marked.map((place) => place - 1), targets: marked.map((place) => Number(labels.data[place])) }
}

interface Form {
  readonly packed: boolean
  readonly rows: boolean
}

/** The causal language model's loss as a graph of its inputs and parameters, and the feeds beside the parameters. */
const lossGraph = (
  config: DecoderConfig,
  inputs: Pick<ReadonlyMap<string, Tensor>, "get">,
  { packed, rows }: Form,
): { readonly graph: Graph; readonly feeds: Readonly<Record<string, Tensor>> } => {
  const mask = inputs.get("attention_mask")!
  const [batch = 0, tokens = 0] = mask.dims
  const { places, targets } = answers(inputs.get("labels")!)
  const real = toNumbers(mask).flatMap((value, place) => (value === 1 ? [place] : []))
  const order = real.toReversed()
  const { graph } = decoderGraph(config, {
    batch,
    tokens,
    ...(packed ? { packedRows: order.length } : {}),
    ...(rows ? { logitRows: places.length } : {}),
  })
  const g = new GraphBuilder()
  const logits = g.callWithInputs(graph).outputs["logits"]!
  const behind = new Map(places.map((place, index) => [place, targets[index]!]))
  const read = rows ? places : Array.from({ length: batch * tokens }, (_, place) => place)
  const dims = rows ? [places.length] : [batch, tokens]
  const { loss } = answerNll(g, {
    logits,
    targets: g.constant(
      int64(
        dims,
        read.map((place) => behind.get(place) ?? -100),
      ),
    ),
    mask: g.constant(
      bool(
        dims,
        read.map((place) => behind.has(place)),
      ),
    ),
  })
  const feeds: Record<string, Tensor> = { input_ids: inputs.get("input_ids")!, attention_mask: mask }
  if (packed) feeds["packed_rows"] = int64([order.length], order)
  if (rows) feeds["logit_rows"] = int64([places.length], [...places])
  return { graph: g.build({ loss }), feeds }
}

const load = (name: string) => {
  const config = decoderConfig(goldenJson(`decoders/${name}/config.json`))
  const { parameters }: LanguageModelWeights = pickDecoderWeights(config, weightsOf(name))
  return { config, parameters, reference: goldenTensors(`decoders/${name}/reference.safetensors`) }
}

const difference = (a: readonly number[], b: readonly number[]): number => {
  assert.equal(a.length, b.length)
  return Math.max(...a.map((value, index) => Math.abs(value - b[index]!)))
}

/** Numbers of the rows of a `[places, width]` tensor that stand for real tokens. */
const atRealTokens = (logits: Tensor, mask: Tensor): readonly number[] => {
  const width = logits.dims.at(-1)!
  const values = toNumbers(logits)
  return toNumbers(mask).flatMap((real, place) => (real === 1 ? values.slice(place * width, (place + 1) * width) : []))
}

const models = ["gpt2", "llama", "mistral", "qwen2", "qwen3"]
const further = ["smollm3", "granite", "olmo2", "phi3", "gemma", "gemma2", "gemma3"]

for (const name of [...models, ...further]) {
  test(`${name}: logits at real tokens are PyTorch's`, async (t) => {
    const { config, parameters, reference } = load(name)
    const mask = reference.get("in.attention_mask")!
    const [batch = 0, tokens = 0] = mask.dims
    const inputs = { input_ids: reference.get("in.input_ids")!, attention_mask: mask }
    const { graph } = decoderGraph(config, { batch, tokens })
    const { logits } = await execute(graph, { ...inputs, ...Object.fromEntries(parameters) })
    const off = difference(atRealTokens(logits!, mask), atRealTokens(reference.get("logits")!, mask))
    t.diagnostic(`logits ${off.toExponential(1)}`)
    assert.ok(off <= 1e-4)
  })

  const plain = [
    { packed: false, rows: false },
    { packed: false, rows: true },
  ]
  for (const form of [...(models.includes(name) ? plain : []), { packed: true, rows: true }]) {
    const kind = `${form.packed ? "packed rows" : "all rows"}, ${form.rows ? "logits of answers" : "all logits"}`
    test(`${name}, ${kind}: loss and gradients are PyTorch's`, async (t) => {
      const { config, parameters, reference } = load(name)
      const { graph, feeds } = lossGraph(config, prefixed(reference, "in."), form)
      const wrt = [...parameters.keys()]
      const result = await execute(differentiate(graph, { loss: "loss", wrt }), {
        ...feeds,
        ...Object.fromEntries(parameters),
      })
      const loss = Math.abs(Number(result["loss"]!.data[0]) - Number(reference.get("loss")!.data[0]))
      const expected = prefixed(reference, "g.")
      assert.deepEqual([...expected.keys()].sort(), wrt.toSorted())
      const worst = gradientError(expected, (parameter) => result[`grad.${parameter}`])
      t.diagnostic(`loss ${loss.toExponential(1)}, ${worst.name}: ${worst.error.toExponential(1)}`)
      assert.ok(loss <= 1e-5, `loss strays by ${loss}`)
      assert.ok(worst.error <= tolerance, `${worst.name}: ${worst.error}`)
    })
  }
}

test("every scaling of rotary embeddings is transformers', in the layouts of versions 4 and 5", async (t) => {
  const tensors = goldenTensors("decoders/rope.safetensors")
  const inputs = prefixed(tensors, "in.")
  const mask = inputs.get("attention_mask")!
  const feeds = { input_ids: inputs.get("input_ids")!, attention_mask: mask }
  for (const [name, json] of Object.entries(goldenJson("decoders/rope.json"))) {
    const config = decoderConfig(json)
    const [batch = 0, tokens = 0] = mask.dims
    const { parameters } = pickDecoderWeights(config, prefixed(tensors, "w."))
    const { logits } = await execute(decoderGraph(config, { batch, tokens }).graph, {
      ...feeds,
      ...Object.fromEntries(parameters),
    })
    const off = difference(atRealTokens(logits!, mask), atRealTokens(tensors.get(name)!, mask))
    t.diagnostic(`${name} ${off.toExponential(1)}`)
    assert.ok(off <= 1e-4, `${name}: logits stray by ${off}`)
  }
})

const training = goldenJson("decoders/training.json")

/** The llama's training run of the golden script; `shift` leaves batches out at the front. */
const run = async (optimizer: AdamWSettings, shift: number): Promise<readonly number[]> => {
  const batches = goldenTensors("decoders/training.safetensors")
  const { config } = load("llama")
  const start = prefixed(batches, "start.")
  const { parameters } = pickDecoderWeights(config, start)
  const form = { packed: true, rows: true }
  const lossOf = (index: number) => lossGraph(config, prefixed(batches, `batch${index}.`), form)
  const losses: number[] = []
  await onCpu(
    train(
      {
        name: "golden",
        parameters,
        trainable: [...parameters.keys()],
        draftsPerEpoch: training.steps,
        draft: (index): Effect.Effect<Batch> => {
          const key = (index + shift) % 5
          return Effect.succeed({ key: `${key}`, tensors: lossOf(key).feeds, examples: 4 })
        },
        complete: asDrafted,
        program: ({ key }): Effect.Effect<Program> =>
          Effect.succeed({ graph: lossOf(Number(key)).graph, loss: "loss", dropout: [] }),
      },
      {
        schedule: {
          kind: "linear",
          learningRate: training.learningRate,
          warmupSteps: training.warmupSteps,
          steps: training.steps,
        },
        optimizer: adamW(optimizer),
        decays: (name) => !name.includes("norm"),
        seed: 0,
        fingerprint: "golden",
        saveEverySteps: 1000,
        resume: false,
        emit: (event: TrainEvent) => Effect.sync(() => void (event.event === "step" && losses.push(event.loss))),
      },
    ).pipe(Effect.scoped, Effect.provide(Checkpoints.layerMemory)),
  )
  return losses
}

test("50 steps of AdamW on a llama follow PyTorch's losses", async (t) => {
  const off = difference(await run({}, 0), training.losses)
  t.diagnostic(`losses ${off.toExponential(1)}`)
  assert.ok(off <= 1e-3, `losses stray by ${off}`)
})

test("the comparison sees another optimizer and other data", async () => {
  assert.ok(difference(await run({ beta2: 0.99 }, 0), training.losses) > 1e-3)
  assert.ok(difference(await run({}, 1), training.losses) > 1e-3)
})
