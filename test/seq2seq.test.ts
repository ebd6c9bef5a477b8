// Encoder-decoders against PyTorch: logits, every gradient, packed rows, dropout, fifty steps of training.
import assert from "node:assert/strict"
import { test } from "node:test"
import { differentiate, gradientName } from "@tandem/autodiff"
import { answerNll } from "@tandem/losses"
import { pickSeq2SeqWeights, type Seq2SeqShape, seq2seqConfig, seq2seqGraph, seq2seqInputs } from "@tandem/models"
import { distanceBuckets } from "@tandem/models/seq2seq/RelativePositions"
import {
  bool,
  elementCount,
  type Graph,
  GraphBuilder,
  int64,
  staticDims,
  type Tensor,
  tensor,
  toNumbers,
} from "@tandem/onnx"
import { adamW, asDrafted, type Batch, Checkpoints, type Program, type TrainEvent, train } from "@tandem/trainers"
import { Effect } from "effect"
import { execute, goldenJson, goldenTensors, gradientError, onCpu } from "./support/Golden.ts"

const largestDifference = (a: Tensor | undefined, b: Tensor | undefined): number => {
  assert.ok(a !== undefined && b !== undefined)
  assert.deepEqual(a.dims, b.dims)
  let most = 0
  for (let i = 0; i < a.data.length; i++) most = Math.max(most, Math.abs(Number(a.data[i]) - Number(b.data[i])))
  return most
}

const names = ["t5", "t5-gated", "bart", "mbart", "pegasus", "marian"]
const sizes = { batch: 3, tokens: 9, targetTokens: 7 }

const load = (name: string) => {
  const json = goldenJson(`seq2seq/${name}/config.json`)
  const reference = goldenTensors(`seq2seq/${name}/reference.safetensors`)
  const weights = pickSeq2SeqWeights(seq2seqConfig(json), prefixed(reference, "w."))
  const inputs = Object.fromEntries(seq2seqInputs.map((input) => [input, reference.get(`in.${input}`)!]))
  return { ...weights, reference, inputs }
}

const prefixed = (tensors: ReadonlyMap<string, Tensor>, prefix: string): ReadonlyMap<string, Tensor> =>
  new Map([...tensors].flatMap(([key, value]) => (key.startsWith(prefix) ? [[key.slice(prefix.length), value]] : [])))

type Loaded = ReturnType<typeof load>

const feeds = ({ inputs, parameters }: Loaded) => ({ ...inputs, ...Object.fromEntries(parameters) })

const everyValueIsStatic = (graph: Graph): void => {
  for (const node of graph.nodes) {
    for (const name of node.outputs) {
      const value = graph.values.get(name)
      assert.ok(value?.type !== undefined && staticDims(value.dims) !== undefined, `${node.name}: ${name}`)
    }
  }
}

/** The graph's loss sum(out · R) / numel(out), where out is `read` of its logits, with every parameter's gradient. */
const withGradients = (loaded: Loaded, shape: Seq2SeqShape, R: Tensor) => {
  const { graph } = seq2seqGraph(loaded.config, shape, loaded.buffers)
  everyValueIsStatic(graph)
  const g = new GraphBuilder()
  const out = g.callWithInputs(graph).outputs["logits"]!
  const loss = g.mul(g.reduceSum(g.mul(out, g.constant(R)), [], false), g.scalar(1 / 3 / 7 / 96))
  return differentiate(g.build({ loss, out }), { loss: "loss", wrt: [...loaded.parameters.keys()] })
}

const worst = (loaded: Loaded, results: Readonly<Record<string, Tensor>>) => {
  const expected = prefixed(loaded.reference, "g.")
  assert.deepEqual([...expected.keys()].sort(), [...loaded.parameters.keys()].sort())
  return gradientError(expected, (key) => results[gradientName(key)])
}

for (const name of names) {
  test(`${name}: logits, loss and every gradient are PyTorch's`, async (t) => {
    const loaded = load(name)
    const results = await execute(withGradients(loaded, sizes, loaded.reference.get("R")!), feeds(loaded))
    const loss = largestDifference(results["loss"], { ...loaded.reference.get("loss")!, dims: [] })
    const logits = largestDifference(results["out"], loaded.reference.get("out"))
    const { name: at, error } = worst(loaded, results)
    t.diagnostic(
      `loss ${loss.toExponential(1)}, logits ${logits.toExponential(1)}, gradients ${error.toExponential(1)} (${at})`,
    )
    assert.ok(loss <= 1e-5 && logits <= 1e-5 && error <= 1e-4)
  })
}

test("an odd factor in the attention's scale or a shifted position is seen", async () => {
  for (const [name, wrong] of [
    ["t5", { attentionScale: 0.99 }],
    ["t5-gated", { logitScale: 16 ** -0.5 }],
    ["bart", { embeddingScale: 1 }],
  ] as const) {
    const loaded = load(name)
    const planted = { ...loaded, config: { ...loaded.config, ...wrong } }
    const results = await execute(withGradients(planted, sizes, loaded.reference.get("R")!), feeds(loaded))
    assert.ok(worst(loaded, results).error > 1e-3)
  }
})

for (const name of ["t5-gated", "bart"]) {
  test(`${name}: packed rows and chosen logits give the same numbers and gradients`, async (t) => {
    const loaded = load(name)
    const real = (input: string) =>
      toNumbers(loaded.inputs[input]!).flatMap((value, place) => (value === 1 ? [place] : []))
    const [source, target] = [real("attention_mask"), real("decoder_attention_mask")]
    const R = loaded.reference.get("R")!
    const chosen = target.filter((place) => place % 2 === 0)
    const rowsOf = (value: Tensor): Tensor => {
      const rows = chosen.flatMap((place) => Array.from(value.data.slice(place * 96, place * 96 + 96), Number))
      return tensor("float32", [chosen.length, 96], Float32Array.from(rows))
    }
    // With a cotangent of zero everywhere else, both must give one result
    const kept = Float32Array.from(toNumbers(R), (value, index) =>
      chosen.includes(Math.floor(index / 96)) ? value : 0,
    )
    const sparse = tensor("float32", R.dims, kept)
    const shape = {
      ...sizes,
      packedRows: source.length + 2,
      packedTargetRows: target.length + 1,
      logitRows: chosen.length,
    }
    const padding = (input: string) =>
      toNumbers(loaded.inputs[input]!).flatMap((value, place) => (value === 0 ? [place] : []))
    const places = (values: readonly number[]) => int64([values.length], values)
    const packed = await execute(withGradients(loaded, shape, rowsOf(R)), {
      ...feeds(loaded),
      packed_rows: places([...source, ...padding("attention_mask").slice(0, 2)]),
      packed_target_rows: places([...target, ...padding("decoder_attention_mask").slice(0, 1)]),
      logit_rows: places(chosen),
    })
    const plain = await execute(withGradients(loaded, sizes, sparse), feeds(loaded))
    const gradients = new Map([...loaded.parameters.keys()].map((key) => [key, plain[gradientName(key)]!]))
    const { error } = gradientError(gradients, (key) => packed[gradientName(key)])
    t.diagnostic(`gradients ${error.toExponential(1)}`)
    assert.ok(largestDifference(packed["out"], rowsOf(plain["out"]!)) < 5e-5)
    assert.ok(error < 2e-5)
  })

  test(`${name}: dropout masks are inputs, and masks of ones scale by the kept share`, async () => {
    const loaded = load(name)
    const run = async (rate: number, keep: (index: number) => boolean) => {
      const rates = { hidden: rate, attention: rate, activation: rate }
      const { graph, dropout } = seq2seqGraph(loaded.config, { ...sizes, dropout: rates }, loaded.buffers)
      everyValueIsStatic(graph)
      const masks = dropout.map(({ input }): [string, Tensor] => {
        const dims = staticDims(graph.inputs.find((each) => each.name === input)?.dims)!
        const data = Uint8Array.from({ length: elementCount(dims) }, (_, index) => (keep(index) ? 1 : 0))
        return [input, tensor("bool", dims, data)]
      })
      const { logits } = await execute(graph, { ...feeds(loaded), ...Object.fromEntries(masks) })
      return { logits, sites: dropout.length }
    }
    const { encoder, decoder } = loaded.config
    const near = await run(1e-7, () => true)
    // Embeddings, probabilities, attention's and feed-forward's outputs, inside the latter; T5's last norms
    assert.equal(near.sites, 2 + 4 * encoder.layers + 6 * decoder.layers + (name === "bart" ? 0 : 2))
    assert.ok(largestDifference(near.logits, loaded.reference.get("out")) < 3e-4)
    const kept = (await run(0.5, () => true)).logits!
    const dropped = (await run(0.5, (index) => index % 3 !== 0)).logits!
    assert.ok(largestDifference(kept, loaded.reference.get("out")) > 1e-2)
    assert.ok(largestDifference(kept, dropped) > 1e-2)
  })
}

test("distances fall into T5's buckets", () => {
  for (const { found, ...settings } of goldenJson("seq2seq/buckets.json")) {
    assert.deepEqual(Array.from(distanceBuckets(settings, 200)), found)
  }
})

const training = {
  batches: goldenTensors("seq2seq/t5-training/batches.safetensors"),
  weights: goldenTensors("seq2seq/t5-training/model.safetensors"),
  losses: goldenJson("seq2seq/t5-training/losses.json").float32.losses,
}

/** Fifty steps on eight batches; logits are computed at the targets' real tokens alone. */
const trained = async (learningRate: number) => {
  const { config, parameters } = pickSeq2SeqWeights(
    seq2seqConfig(goldenJson("seq2seq/t5-gated/config.json")),
    training.weights,
  )
  const [batch, tokens, targetTokens] = [4, 8, 6]
  const batchAt = (index: number): Batch => {
    const at = (key: string) => training.batches.get(`${index % 8}.${key}`)!
    const labels = toNumbers(at("labels"))
    const shifted = labels.map((_, place) => (place % targetTokens === 0 ? 0 : labels[place - 1]!))
    const places = toNumbers(at("decoder_attention_mask")).flatMap((real, place) => (real === 1 ? [place] : []))
    const targets = places.map((place) => labels[place]!)
    return {
      key: `${places.length}`,
      tensors: {
        input_ids: at("input_ids"),
        attention_mask: at("attention_mask"),
        decoder_input_ids: int64([batch, targetTokens], shifted),
        decoder_attention_mask: at("decoder_attention_mask"),
        logit_rows: int64([places.length], places),
        targets: int64([places.length], targets),
      },
      examples: batch,
    }
  }
  const program = ({ tensors }: Batch): Program => {
    const logitRows = tensors["logit_rows"]!.dims[0]!
    const { graph } = seq2seqGraph(config, { batch, tokens, targetTokens, logitRows })
    const g = new GraphBuilder()
    const logits = g.callWithInputs(graph).outputs["logits"]!
    const targets = g.input("targets", "int64", [logitRows])
    const mask = g.constant(bool([logitRows], Array<boolean>(logitRows).fill(true)))
    const { loss } = answerNll(g, { logits, targets, mask })
    return { graph: g.build({ loss }), loss: "loss", dropout: [] }
  }
  const events: Extract<TrainEvent, { event: "step" }>[] = []
  await onCpu(
    train(
      {
        name: "golden",
        parameters,
        trainable: [...parameters.keys()],
        draftsPerEpoch: 8,
        draft: (index) => Effect.sync(() => batchAt(index)),
        complete: asDrafted,
        program: (each) => Effect.sync(() => program(each)),
      },
      {
        schedule: { kind: "linear", learningRate, warmupSteps: 0, steps: 50 },
        optimizer: adamW(),
        seed: 0,
        fingerprint: "golden",
        saveEverySteps: 1000,
        resume: false,
        programs: 8,
        emit: (event) => Effect.sync(() => void (event.event === "step" && events.push(event))),
      },
    ).pipe(Effect.scoped, Effect.provide(Checkpoints.layerMemory)),
  )
  return Math.max(...events.map(({ loss }, step) => Math.abs(loss - training.losses[step])))
}

test("fifty steps of AdamW on a tiny T5 follow PyTorch's losses", async (t) => {
  const error = await trained(3e-3)
  t.diagnostic(`losses stray by ${error.toExponential(1)}`)
  assert.ok(error <= 1e-3)
  assert.ok((await trained(2.9e-3)) > 1e-3, "another learning rate is not seen")
})
