// Prefixes that prompts share are computed once: losses, logits and gradients are those of the prompts written out.
import assert from "node:assert/strict"
import { test } from "node:test"
import { initialAdapters, type LoraSettings } from "@tandem/autodiff"
import { bucketLengths, collatePrompts, type Prompt, type PromptOptions } from "@tandem/collators"
import { answerNll } from "@tandem/losses"
import { type DecoderConfig, type DecoderShape, decoderConfig, decoderGraph, pickDecoderWeights } from "@tandem/models"
import { bool, elementCount, float32, type Graph, GraphBuilder, int64, type Tensor, toNumbers } from "@tandem/onnx"
import { differentiateProgram, withAdapters } from "@tandem/trainers"
import { flopsOf, nodeProducts } from "../bench/support/Products.ts"
import { execute, goldenJson, goldenTensors, gradientError, onCpu } from "./support/Golden.ts"

const tolerance = 2e-5

interface Model {
  readonly config: DecoderConfig
  readonly weights: ReadonlyMap<string, Tensor>
}

const load = (name: string): Model => {
  const files = name === "qwen2" ? ["model-00001-of-00002", "model-00002-of-00002"] : ["model"]
  const tensors = new Map(files.flatMap((file) => [...goldenTensors(`decoders/${name}/${file}.safetensors`)]))
  const config = decoderConfig(goldenJson(`decoders/${name}/config.json`))
  return { config, weights: pickDecoderWeights(config, tensors).parameters }
}

/** Token ids between 2 and 95, the same for the same arguments. */
const tokens = (count: number, seed: number): number[] =>
  Array.from({ length: count }, (_, index) => 2 + Math.floor(93 * Math.abs(Math.sin(index * 12.9898 + seed * 78.233))))

/** For each prefix length a group of so many prompts, which differ in length and answer. */
const groupsOf = (prefixes: readonly number[], size: number): readonly (readonly Prompt[])[] =>
  prefixes.map((length, group) =>
    Array.from({ length: size }, (_, index) => {
      const seed = 10 * group + index
      const [passage, answer] = [tokens(2 + ((5 * seed) % 4), seed + 1), tokens(1 + (seed % 3), seed + 2)]
      const own = 90 - index
      return { ids: [...tokens(length, 100 + group), own, ...passage, ...answer], from: length + 1 + passage.length }
    }),
  )

const plain: PromptOptions = { padTokenId: 0, bucket: bucketLengths({ multiple: 4, maximum: 32 }) }
const sharing: PromptOptions = { ...plain, prefixBucket: bucketLengths({ multiple: 2, maximum: 32 }), leastShared: 0 }

interface Laid {
  readonly tensors: Readonly<Record<string, Tensor>>
  readonly shape: DecoderShape & { readonly logitRows: number }
}

/** The negative log-likelihood of the labels as a program that also gives the logits. */
const lossProgram = (decoder: Graph, logitRows: number, lora: LoraSettings | undefined) => {
  const g = new GraphBuilder()
  const logits = g.callWithInputs(decoder).outputs["logits"]!
  const targets = g.input("targets", "int64", [logitRows, 1])
  const mask = g.input("weights", "float32", [logitRows, 1])
  const { loss } = answerNll(g, { logits, targets, mask }, { reduction: "sum" })
  const program = { graph: g.build({ loss, logits }), loss: "loss", dropout: [] }
  return lora === undefined ? { program, adapters: [] } : withAdapters(program, lora)
}

/** Loss, logits at the labels' places and gradients of a batch, as training computes them. */
const results = async ({ config, weights }: Model, { tensors, shape }: Laid, lora?: LoraSettings) => {
  const { graph } = decoderGraph(config, shape)
  const { program, adapters } = lossProgram(graph, shape.logitRows, lora)
  const added = [...initialAdapters(adapters, 0)].map(([name, { dims }], index) => {
    const values = Array.from({ length: elementCount(dims) }, (_, at) => Math.sin(at * 1.7 + index) / 4)
    return [name, float32(dims, values)] as const
  })
  const wrt = lora === undefined ? [...weights.keys()] : added.map(([name]) => name)
  const feeds = { ...tensors, ...Object.fromEntries([...weights, ...added]) }
  const differentiated = await onCpu(differentiateProgram(program, wrt))
  const found = await execute(differentiated, feeds)
  return {
    loss: Number(found["loss"]!.data[0]),
    gradients: new Map(wrt.map((name) => [name, found[`grad.${name}`]!])),
    logits: found["logits"]!,
    flops: nodeProducts(differentiated).reduce((sum, product) => sum + flopsOf(product), 0),
  }
}

/** Compares prompts written out with other layouts of them; gives the share of operations that each of these needs. */
const compare = async (model: Model, whole: Laid, others: readonly Laid[], lora?: LoraSettings) => {
  const expected = await results(model, whole, lora)
  const shares: number[] = []
  for (const other of others) {
    const found = await results(model, other, lora)
    assertSame(found, expected)
    shares.push(found.flops / expected.flops)
  }
  return shares
}

type Results = Awaited<ReturnType<typeof results>>

const assertSame = (found: Results, expected: Results): void => {
  assert.ok(Math.abs(found.loss / expected.loss - 1) <= 1e-5, `loss ${found.loss} instead of ${expected.loss}`)
  assert.deepEqual(found.logits.dims, expected.logits.dims)
  const [a, b] = [toNumbers(found.logits), toNumbers(expected.logits)]
  const largest = Math.max(...b.map(Math.abs))
  const off = Math.max(...a.map((value, index) => Math.abs(value - b[index]!)))
  assert.ok(off <= tolerance * largest, `logits stray by ${off} of ${largest}`)
  const worst = gradientError(expected.gradients, (name) => found.gradients.get(name))
  assert.ok(worst.error <= tolerance, `${worst.name}: ${worst.error}`)
  assert.ok(expected.gradients.size > 0)
}

const models = ["gpt2", "llama", "mistral", "qwen2", "qwen3"]
const further = ["smollm3", "granite", "olmo2", "phi3", "gemma", "gemma2", "gemma3"]

for (const name of [...models, ...further]) {
  test(`${name}: groups with prefixes of different lengths, packed and not`, async () => {
    const model = load(name)
    const groups = groupsOf([9, 5], 3)
    const whole = collatePrompts(groups, plain)
    assert.equal(whole.shape.prefix, undefined)
    const shared = collatePrompts(groups, sharing)
    assert.deepEqual(shared.shape.prefix, { rows: 2, tokens: 10 })
    const packed = collatePrompts(groups, { ...sharing, packedMultiple: 4 })
    assert.ok((packed.shape.packedRows ?? 0) > 0)
    const shares = await compare(model, whole, models.includes(name) ? [packed, shared] : [packed])
    assert.ok(shares[0]! < 0.75, `${shares} of the operations are left`)
  })
}

for (const name of ["gpt2", "llama"]) {
  for (const { size, prefixes } of [
    { size: 2, prefixes: [1, 0, 6] },
    { size: 4, prefixes: [8] },
    { size: 4, prefixes: [3, 11, 1, 0] },
  ]) {
    test(`${name}: ${size} prompts of each prefix, of ${prefixes} tokens`, async () => {
      const groups = groupsOf(prefixes, size)
      const options = { ...sharing, packedMultiple: 1 }
      const shared = collatePrompts(groups, options)
      assert.equal(shared.statistics.sharedTokens, (size - 1) * prefixes.reduce((sum, length) => sum + length, 0))
      await compare(load(name), collatePrompts(groups, plain), [shared])
    })
  }

  test(`${name}: LoRA adapters`, async () => {
    const targets = name === "gpt2" ? ["c_attn", "c_fc"] : ["q_proj", "k_proj", "v_proj", "down_proj"]
    const groups = groupsOf([9, 4], 3)
    const shared = collatePrompts(groups, { ...sharing, packedMultiple: 2 })
    await compare(load(name), collatePrompts(groups, plain), [shared], { rank: 2, alpha: 4, targets })
  })

  test(`${name}: a prefix of one row each, and padding on the left`, async () => {
    const whole = collatePrompts(groupsOf([2, 0, 1], 1), plain)
    const laid = [false, true].map((left) => cut(whole, [3, 1, 2], left))
    await compare(load(name), whole, laid)
  })

  test(`${name}: all logits, and the last hidden states`, async () => {
    const { config, weights } = load(name)
    const groups = groupsOf([6, 2], 2)
    const runOn = async (options: PromptOptions) => {
      const { shape, tensors } = collatePrompts(groups, options)
      const { logitRows: _, ...all } = shape
      const { logit_rows: __, targets: ___, weights: ____, ...inputs } = tensors
      const { graph } = decoderGraph(config, all)
      const outputs = await execute(graph, { ...inputs, ...Object.fromEntries(weights) })
      return { outputs, width: shape.tokens }
    }
    const [whole, shared] = [await runOn(plain), await runOn({ ...sharing, packedMultiple: 4 })]
    for (const output of ["logits", "last_hidden_state"]) {
      const [expected, found] = [whole.outputs[output]!, shared.outputs[output]!]
      const size = expected.dims[2]!
      for (const [group, prefix] of [6, 2].entries()) {
        for (const [index, { ids }] of groups[group]!.entries()) {
          const row = 2 * group + index
          for (let at = prefix; at < ids.length; at++) {
            const there = (row * whole.width + at) * size
            const here = (row * shared.width + at - prefix) * size
            for (let element = 0; element < size; element++) {
              const [a, b] = [Number(expected.data[there + element]), Number(found.data[here + element])]
              assert.ok(Math.abs(a - b) < 1e-4, `${output} of row ${row} at ${at} is ${b} and not ${a}`)
            }
          }
        }
      }
    }
  })
}

/** A batch of which each row's first tokens are a prefix of its own, all real tokens pushed to the right by option. */
const cut = ({ tensors, shape }: Laid, lengths: readonly number[], left: boolean): Laid => {
  const [before, width] = [4, shape.tokens]
  const [ids, mask] = [toNumbers(tensors["input_ids"]!), toNumbers(tensors["attention_mask"]!)]
  const rows = lengths.map((length, row) => {
    const real = ids.slice(row * width, (row + 1) * width).filter((_, column) => mask[row * width + column] === 1)
    return { prefix: real.slice(0, length), own: real.slice(length) }
  })
  const filled = (values: readonly number[], size: number): readonly number[] => {
    const padding = new Array<number>(size - values.length).fill(0)
    return left ? [...padding, ...values] : [...values, ...padding]
  }
  const laid = (part: "prefix" | "own", size: number): readonly [Tensor, Tensor] => [
    int64(
      [lengths.length, size],
      rows.flatMap((row) => filled(row[part], size)),
    ),
    int64(
      [lengths.length, size],
      rows.flatMap((row) =>
        filled(
          row[part].map(() => 1),
          size,
        ),
      ),
    ),
  ]
  const [[prefixIds, prefixMask], [ownIds, ownMask]] = [laid("prefix", before), laid("own", width)]
  const places = toNumbers(tensors["logit_rows"]!).map((place) => {
    const row = Math.floor(place / width)
    return place - lengths[row]! + (left ? width - rows[row]!.own.length : 0)
  })
  return {
    tensors: {
      ...tensors,
      input_ids: ownIds,
      attention_mask: ownMask,
      prefix_input_ids: prefixIds,
      prefix_attention_mask: prefixMask,
      logit_rows: int64([places.length], places),
    },
    shape: { ...shape, prefix: { rows: lengths.length, tokens: before } },
  }
}

test("dropout keeps its place: masks of ones scale by the kept share, and a prefix draws once", async () => {
  for (const name of ["gpt2", "llama"]) {
    const { config, weights } = load(name)
    const { shape, tensors } = collatePrompts(groupsOf([6, 2], 2), sharing)
    const rate = 0.25
    const { graph, dropout } = decoderGraph(config, { ...shape, dropout: { hidden: rate, attention: rate } })
    const { targets: _, weights: __, ...inputs } = tensors
    const run = async (kept: number) => {
      const masks = dropout.map(({ input }) => {
        const dims = graph.inputs.find((value) => value.name === input)?.dims?.map(Number) ?? []
        return [input, bool(dims, Array<boolean>(elementCount(dims)).fill(kept === 1))] as const
      })
      return (await execute(graph, { ...inputs, ...Object.fromEntries([...masks, ...weights]) }))["logits"]!
    }
    const sites = config.layers.length * (name === "gpt2" ? 4 : 2) + (name === "gpt2" ? 1 : 0) - 1
    assert.equal(dropout.length, sites)
    assert.notDeepEqual(toNumbers(await run(1)), toNumbers(await run(0)))
  }
})

test("shapes that no prefix fits are refused", () => {
  const { config } = load("llama")
  const shape = { batch: 4, tokens: 8 }
  for (const prefix of [
    { rows: 3, tokens: 4 },
    { rows: 2, tokens: 0 },
    { rows: 0, tokens: 4 },
  ]) {
    assert.throws(() => decoderGraph(config, { ...shape, prefix }), { _tag: "InvalidLanguageModel" })
  }
  const prefix = { rows: 2, tokens: 4 }
  assert.throws(() => decoderGraph(config, { ...shape, prefix, packedRows: 41 }), { _tag: "InvalidLanguageModel" })
  assert.throws(() => decoderGraph(config, { ...shape, prefix, logitRows: 33 }), { _tag: "InvalidLanguageModel" })
  const long = { rows: 2, tokens: 129 }
  assert.throws(() => decoderGraph(config, { ...shape, prefix: long }), { _tag: "SequenceTooLong" })
})
