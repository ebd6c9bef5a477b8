// The largest step of joint training with random weights, in a process of its own: a MiniLM query encoder, a decoder of
// 135 M parameters that reads k passages for each query, RAG-Sequence likelihood, all weights trained.
//
//     node jointStep.ts '{"part": "step", "batch": 8, "k": 5, "tokens": 256, "queryTokens": 32, "answerTokens": 32}'
import { addLora, differentiate, gradientName, initialAdapters } from "@tandem/autodiff"
import { answerLogLikelihood } from "@tandem/losses"
import {
  bertConfig,
  bertGraph,
  bertInferenceGraph,
  bertParameters,
  decoderConfig,
  decoderGraph,
  decoderInferenceGraph,
  decoderParameters,
  type Parameter,
  pool,
} from "@tandem/models"
import { bool, deadCode, elementCount, float32, type Graph, GraphBuilder, int64, type Tensor } from "@tandem/onnx"
import { type Buffer, Runtime, specialize } from "@tandem/runtime"
import { layer } from "@tandem/runtime/node/NodeRuntime"
import { Effect } from "effect"
import { noise } from "../../bench/support/Numbers.ts"
import { randomWeight, shapes } from "../../bench/support/RandomModel.ts"

export interface JointSettings {
  /** `oracle`: specialize exports of both models for these shapes; `step`: compile and run; `compile`: no run. */
  readonly part: "oracle" | "step" | "compile"
  readonly batch: number
  readonly k: number
  readonly tokens: number
  readonly queryTokens: number
  readonly answerTokens: number
  readonly recompute: boolean
  /** Rank of adapters on all of the decoder's layers, whose weights are then frozen; 0 trains all weights. */
  readonly lora: number
  readonly threads: number
}

export interface JointReport {
  readonly peakMiB: number
  /** Resident size with the weights alone. */
  readonly weightsMiB: number
  /** Parameters of both models. */
  readonly parameters: number
  readonly nodes: number
  /** Of the oracle, of compiling, or of one step. */
  readonly seconds: number
  readonly compileSeconds: number
  readonly loss: number
}

const encoderConfig = bertConfig(shapes["MiniLM-L6"])
const generatorConfig = decoderConfig({ ...shapes["SmolLM-135M"], max_position_embeddings: 2048 })

const prefixed = (prefix: string, parameters: readonly Parameter[]): readonly Parameter[] =>
  parameters.map((parameter) => ({ ...parameter, name: prefix + parameter.name }))

const query = prefixed("query/", bertParameters(encoderConfig))
const generator = prefixed("generator/", decoderParameters(generatorConfig))

/** −mean over queries of log Σ_z p(z|x) Π p(y_i|x, z, y_<i), z over the k passages. */
const program = ({ batch, k, tokens, queryTokens, answerTokens }: JointSettings): Graph => {
  const g = new GraphBuilder()
  const call = (graph: Graph, prefix: string) => g.callWithInputs(graph, (name) => prefix + name).outputs
  const encoder = bertGraph(encoderConfig, { batch, tokens: queryTokens }).graph
  const mask = g.input("query.mask", "int64", [batch, queryTokens])
  const embedded = pool(g, call(encoder, "query/")["last_hidden_state"]!, mask, { mode: "mean", normalize: true })
  const passages = g.input("passages", "float32", [batch, k, encoderConfig.hiddenSize])
  const products = g.matmul(passages, g.reshape(embedded, [batch, encoderConfig.hiddenSize, 1]))
  const prior = g.logSoftmax(g.mul(g.reshape(products, [batch, k]), g.scalar(20)))
  const rows = batch * k * answerTokens
  const generator = decoderGraph(generatorConfig, { batch: batch * k, tokens, logitRows: rows }).graph
  const answers = [batch * k, answerTokens]
  const { perSequence } = answerLogLikelihood(g, {
    logits: g.reshape(call(generator, "generator/")["logits"]!, [...answers, generatorConfig.vocabularySize]),
    targets: g.input("targets", "int64", answers),
    mask: g.constant(bool(answers, Array<boolean>(rows).fill(true))),
  })
  const marginal = g.reduceLogSumExp(g.add(prior, g.reshape(perSequence, [batch, k])), [1], false)
  return g.build({ loss: g.neg(g.reduceMean(marginal, [], false)) })
}

const peak = (): number => Math.round(process.resourceUsage().maxRSS / 1024)
const resident = (): number => Math.round(process.memoryUsage.rss() / 2 ** 20)

const oracle = Effect.fnUntraced(function* (settings: JointSettings) {
  const { batch, k, tokens, queryTokens } = settings
  const encoderWeights = new Map(
    bertParameters(encoderConfig).map((each, index) => [each.name, randomWeight(each, index + 1)]),
  )
  const weights = new Map(
    decoderParameters(generatorConfig).map((each, index) => [each.name, randomWeight(each, index + 1)]),
  )
  const encoder = bertInferenceGraph(encoderConfig, encoderWeights)
  const decoder = decoderInferenceGraph(generatorConfig, weights)
  const logits = deadCode({ ...decoder, outputs: decoder.outputs.filter(({ name }) => name === "logits") })
  const weightsMiB = resident()
  const started = performance.now()
  const parts = [
    [encoder, [batch, queryTokens]],
    [logits, [batch * k, tokens]],
  ] as const
  let nodes = 0
  for (const [graph, dims] of parts) {
    const { keyValueHeads, headSize } = generatorConfig
    const shapes = graph.inputs.map(
      ({ name }) => [name, name.startsWith("past") ? [batch * k, keyValueHeads, 0, headSize] : dims] as const,
    )
    const special = yield* specialize(graph, Object.fromEntries(shapes), {
      parameters: new Set(graph.initializers.keys()),
    })
    nodes += special.nodes.length
  }
  return { nodes, weightsMiB, seconds: (performance.now() - started) / 1000, compileSeconds: 0, loss: Number.NaN }
})

const step = Effect.fnUntraced(function* (settings: JointSettings) {
  const { batch, k, tokens, queryTokens, answerTokens, lora, recompute } = settings
  const runtime = yield* Runtime
  const base = program(settings)
  const adapted = lora === 0 ? undefined : addLora(base, { rank: lora, alpha: lora, targets: "generator/.*_proj" })
  const adapters = initialAdapters(adapted?.adapters ?? [], 1)
  const wrt = [
    ...query.map(({ name }) => name),
    ...(adapted === undefined ? generator.map(({ name }) => name) : adapters.keys()),
  ]
  const started = performance.now()
  const graph = differentiate(adapted?.graph ?? base, {
    loss: "loss",
    wrt,
    ...(recompute ? { recompute: "auto" } : {}),
  })
  const executable = yield* runtime.compile(graph)
  const compileSeconds = (performance.now() - started) / 1000
  const report = { nodes: graph.nodes.length, compileSeconds, seconds: compileSeconds, loss: Number.NaN }
  if (settings.part === "compile") return { ...report, weightsMiB: resident() }
  const rows = batch * k
  const range = (count: number, make: (index: number) => number) =>
    Array.from({ length: count }, (_, index) => make(index))
  const feeds: Record<string, Tensor | Buffer> = {
    "query/input_ids": int64(
      [batch, queryTokens],
      range(batch * queryTokens, (index) => (index * 7) % 30000),
    ),
    "query/attention_mask": int64(
      [batch, queryTokens],
      range(batch * queryTokens, () => 1),
    ),
    "query/token_type_ids": int64(
      [batch, queryTokens],
      range(batch * queryTokens, () => 0),
    ),
    "query.mask": int64(
      [batch, queryTokens],
      range(batch * queryTokens, () => 1),
    ),
    passages: float32([batch, k, 384], noise(rows * 384, 5, 0.1)),
    "generator/input_ids": int64(
      [rows, tokens],
      range(rows * tokens, (index) => (index * 13) % 49000),
    ),
    "generator/attention_mask": int64(
      [rows, tokens],
      range(rows * tokens, () => 1),
    ),
    "generator/logit_rows": int64(
      [rows * answerTokens],
      range(
        rows * answerTokens,
        (index) => Math.floor(index / answerTokens) * tokens + tokens - answerTokens - 1 + (index % answerTokens),
      ),
    ),
    targets: int64(
      [rows, answerTokens],
      range(rows * answerTokens, (index) => (index * 31) % 49000),
    ),
  }
  const into: Record<string, Buffer> = {}
  const upload = Effect.fnUntraced(function* (name: string, value: Tensor) {
    feeds[name] = yield* runtime.upload(value)
    if (!wrt.includes(name)) return
    into[gradientName(name)] = yield* runtime.upload(float32(value.dims, new Float32Array(value.data.length)))
  })
  for (const [index, each] of [...query, ...generator].entries())
    yield* upload(each.name, randomWeight(each, index + 1))
  for (const [name, value] of adapters) yield* upload(name, value)
  const weightsMiB = resident()
  const begun = performance.now()
  const { loss } = yield* executable.run(feeds, { into })
  return { ...report, weightsMiB, seconds: (performance.now() - begun) / 1000, loss: Number(loss?.data[0]) }
})

if (import.meta.main) {
  const settings: JointSettings = JSON.parse(process.argv[2] ?? "{}")
  const found = await Effect.runPromise(
    Effect.scoped(settings.part === "oracle" ? oracle(settings) : step(settings)).pipe(
      Effect.provide(layer({ threads: settings.threads })),
    ),
  )
  const parameters = [...query, ...generator].reduce((sum, { dims }) => sum + elementCount(dims), 0)
  const report: JointReport = { ...found, parameters, peakMiB: peak() }
  console.log(JSON.stringify(report))
}
