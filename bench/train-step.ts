// One whole training step of a MiniLM-L6-shaped encoder against the matrix products that it cannot do without.
import { inBatchNll } from "@tandem/losses"
import { bertConfig, bertGraph, bertParameters, pool } from "@tandem/models"
import { elementCount, float32, GraphBuilder, int64, staticDims, type Tensor, type Value } from "@tandem/onnx"
import { Runtime } from "@tandem/runtime"
import { layer } from "@tandem/runtime/node/NodeRuntime"
import { adamWDefaults, type Batch, Checkpoints, type Program, train } from "@tandem/trainers"
import { Effect, Scope } from "effect"
import type { ExperimentContext, ExperimentResult } from "../scripts/support/Experiment.ts"

const shape = { batch: 16, tokens: 128, hidden: 384, layers: 6, heads: 12, intermediate: 1536, vocabulary: 30522 }
const warmup = 3
const rounds = 7
/** Share of the step's time that its products alone need. */
const target = 0.65

const config = bertConfig({
  model_type: "bert",
  vocab_size: shape.vocabulary,
  hidden_size: shape.hidden,
  num_hidden_layers: shape.layers,
  num_attention_heads: shape.heads,
  intermediate_size: shape.intermediate,
  max_position_embeddings: 512,
  type_vocab_size: 2,
  hidden_act: "gelu",
  layer_norm_eps: 1e-12,
  pad_token_id: 0,
})

/** The encoder, mean pooling and in-batch NLL against given passage vectors. */
const program = (): Program => {
  const { graph } = bertGraph(config, shape)
  const g = new GraphBuilder()
  const bound = Object.fromEntries(
    graph.inputs.map(({ name, type = "float32", dims = [] }) => [name, g.input(name, type, dims)]),
  )
  const hidden = g.call(graph, bound)["last_hidden_state"]!
  const queries = pool(g, hidden, bound["attention_mask"]!, { mode: "mean", normalize: false })
  const passages = g.input("passages", "float32", [shape.batch, shape.hidden])
  const { loss } = inBatchNll(g, { queries, passages }, { similarity: "cosine", temperature: 0.05 })
  return { graph: g.build({ loss }), loss: "loss", dropout: [] }
}

/** A repeatable sequence of numbers in −0.5 to 0.5. */
const noise = (count: number, seed: number): Float32Array => {
  let state = seed
  return Float32Array.from({ length: count }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return state / 2 ** 32 - 0.5
  })
}

const batch = (): Batch => {
  const tokens = shape.batch * shape.tokens
  const ids = Array.from(noise(tokens, 7), (value) => Math.floor((value + 0.5) * (shape.vocabulary - 1)))
  const dims = [shape.batch, shape.tokens]
  return {
    key: "dense",
    examples: shape.batch,
    tensors: {
      input_ids: int64(dims, ids),
      attention_mask: int64(dims, Array(tokens).fill(1)),
      token_type_ids: int64(dims, Array(tokens).fill(0)),
      passages: float32([shape.batch, shape.hidden], noise(shape.batch * shape.hidden, 9)),
    },
  }
}

/** A product of the model: `count` times `[batch ×] m×k · k×n` in one step. */
interface Product {
  readonly name: string
  readonly m: number
  readonly n: number
  readonly k: number
  readonly batch?: number
  readonly count: number
}

/** Forward and backward products: each Y = X·W brings dX = dY·Wᵀ and dW = Xᵀ·dY. */
const products = (): Product[] => {
  const { hidden, intermediate, heads, layers, tokens } = shape
  const rows = shape.batch * tokens
  const linear = (name: string, from: number, to: number, each: number): Product[] => [
    { name: `${name}, forward`, m: rows, n: to, k: from, count: each * layers },
    { name: `${name}, dX`, m: rows, n: from, k: to, count: each * layers },
    { name: `${name}, dW`, m: to, n: from, k: rows, count: each * layers },
  ]
  const attention = { batch: shape.batch * heads, count: 2 * layers }
  return [
    ...linear("query, key, value, output", hidden, hidden, 4),
    ...linear("feed-forward in", hidden, intermediate, 1),
    ...linear("feed-forward out", intermediate, hidden, 1),
    { name: "attention, scores and dP", m: tokens, n: tokens, k: hidden / heads, ...attention },
    {
      name: "attention, context, dQ, dK, dV",
      m: tokens,
      n: hidden / heads,
      k: tokens,
      batch: attention.batch,
      count: 4 * layers,
    },
  ]
}

/** Ways to give a product its operands: as they are, or either of them transposed in memory. */
const forms = [
  { transA: false, transB: false },
  { transA: false, transB: true },
  { transA: true, transB: false },
  { transA: true, transB: true },
] as const

/** How often a product stands in its graph; each time with another right operand, so that none is merged. */
const copies = 4

/** A graph of one product in one form, of which only a row is put out. */
const productGraph = ({ m, n, k, batch: count }: Product, { transA, transB }: (typeof forms)[number]) => {
  const g = new GraphBuilder()
  const lead = count === undefined ? [] : [count]
  const left = g.input("left", "float32", [...lead, ...(transA ? [k, m] : [m, k])])
  const outputs: Record<string, Value> = {}
  for (let copy = 0; copy < copies; copy++) {
    const right = g.input(`right${copy}`, "float32", [...lead, ...(transB ? [n, k] : [k, n])])
    const product =
      count === undefined
        ? g.gemm(left, right, { transA, transB })
        : g.fusedMatmul(left, right, { transA, transB, alpha: 1 })
    outputs[`row${copy}`] = g.slice(product, 0, 0, 1)
  }
  return g.build(outputs)
}

const median = (values: readonly number[]): number => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)]!

export async function run({ log }: ExperimentContext): Promise<ExperimentResult> {
  const parameters = new Map(
    bertParameters(config).map(({ name, dims, role }, index): [string, Tensor] => {
      const scale = role === "scale" ? 1 : role === "bias" ? 0 : 0.07
      const data =
        role === "scale" ? new Float32Array(elementCount(dims)).fill(1) : noise(elementCount(dims), index + 1)
      return [name, float32(dims, role === "scale" ? data : data.map((value) => value * scale))]
    }),
  )
  const steps: number[] = []
  const alone = new Map<string, number[]>()
  let peakMemoryMiB = 0

  const measure = Effect.gen(function* () {
    const runtime = yield* Runtime
    // The first run of a round waits for the threads of the graph before, which spin for a while; it does not count.
    const timed: { readonly key: string; readonly time: Effect.Effect<void> }[] = []
    const prepare = Effect.gen(function* () {
      peakMemoryMiB = Math.round(process.resourceUsage().maxRSS / 1024)
      for (const product of products()) {
        for (const form of forms) {
          const graph = productGraph(product, form)
          const executable = yield* runtime.compile(graph)
          const feeds: Record<string, Effect.Success<ReturnType<typeof runtime.upload>>> = {}
          for (const [index, { name, dims }] of graph.inputs.entries()) {
            const sizes = staticDims(dims) ?? []
            feeds[name] = yield* runtime.upload(float32(sizes, noise(elementCount(sizes), index + 1)))
          }
          const key = `${product.name} ${form.transA ? "T" : "N"}${form.transB ? "T" : "N"}`
          const once = Effect.gen(function* () {
            const started = performance.now()
            yield* Effect.orDie(executable.run(feeds))
            return (performance.now() - started) / copies
          })
          const time = Effect.gen(function* () {
            yield* once
            const found = Math.min(yield* once, yield* once, yield* once)
            alone.set(key, [...(alone.get(key) ?? []), found])
          })
          timed.push({ key, time })
        }
      }
    })
    const afterStep = Effect.fnUntraced(function* (step: number, seconds: number) {
      if (step === warmup) yield* prepare
      if (step <= warmup) return
      steps.push(seconds * 1000)
      for (const { time } of timed) yield* time
      log(`round ${step - warmup} of ${rounds}: step ${(seconds * 1000).toFixed(0)} ms`)
    })
    const scope = yield* Effect.scope
    yield* train({
      parameters,
      trainable: [...parameters.keys()],
      batch: () => Effect.succeed(batch()),
      program: () => Effect.sync(program),
      schedule: { kind: "constant", learningRate: 1e-4, warmupSteps: 0, steps: warmup + rounds },
      stepsPerEpoch: warmup + rounds,
      optimizer: adamWDefaults,
      seed: 0,
      fingerprint: "train-step",
      saveEverySteps: warmup + rounds,
      resume: false,
      emit: (event) =>
        event.event === "step"
          ? Effect.provideService(afterStep(event.step, event.seconds), Scope.Scope, scope).pipe(Effect.orDie)
          : Effect.void,
    })
  })
  await Effect.runPromise(Effect.scoped(measure).pipe(Effect.provide([layer(), Checkpoints.layerMemory])))

  const fastest = products().map((product) => {
    const found = forms.map((form) => {
      const key = `${product.name} ${form.transA ? "T" : "N"}${form.transB ? "T" : "N"}`
      return { form: key.slice(-2), milliseconds: median(alone.get(key) ?? []) }
    })
    const best = found.reduce((a, b) => (b.milliseconds < a.milliseconds ? b : a))
    const flops = 2 * product.m * product.n * product.k * (product.batch ?? 1)
    return { ...product, form: best.form, milliseconds: best.milliseconds, gigaflops: flops / best.milliseconds / 1e6 }
  })
  const perRound = steps.map((step, round) => {
    const total = fastest.reduce((sum, { name, form, count }) => sum + count * alone.get(`${name} ${form}`)![round]!, 0)
    return { step, products: total, ratio: total / step }
  })
  const ratios = perRound.map(({ ratio }) => ratio)
  const ratio = { median: median(ratios), min: Math.min(...ratios), max: Math.max(...ratios) }
  log(`products / step: ${ratio.median.toFixed(3)} (${ratio.min.toFixed(3)} to ${ratio.max.toFixed(3)})`)
  return {
    settings: {
      ...shape,
      warmup,
      rounds,
      step: "forward, backward, clip, AdamW, host included",
      parameters: parameters.size,
    },
    figures: { ratio, stepMilliseconds: median(steps), peakMemoryMiB, rounds: perRound, products: fastest },
    holds: { [`the products alone take at least ${target} of the step`]: ratio.median >= target },
  }
}
