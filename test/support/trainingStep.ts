// One training step of a random BERT in a process of its own, whose peak memory says what the step needs:
//
//     node trainingStep.ts '{"layers": 12, "hidden": 128, "heads": 4, "batch": 8, "tokens": 512, "recompute": "auto"}'
import { createHash } from "node:crypto"
import { differentiate, gradientName, type Recompute } from "@tandem/autodiff"
import { bertConfig, bertGraph, bertParameters } from "@tandem/models"
import { elementCount, float32, GraphBuilder, int64 } from "@tandem/onnx"
import { scrambledLcg32 } from "@tandem/random"
import { type Buffer, Runtime } from "@tandem/runtime"
import { layer } from "@tandem/runtime/node/NodeRuntime"
import { Effect } from "effect"

export interface StepSettings {
  readonly layers: number
  readonly hidden: number
  readonly heads: number
  readonly batch: number
  readonly tokens: number
  readonly recompute: Recompute | null
  readonly runs: number
  readonly threads: number
}

export interface StepReport {
  readonly loss: number
  /** SHA-256 of all gradients. */
  readonly gradients: string
  /** Largest resident size of the process, in MiB. */
  readonly peakMiB: number
  /** Resident size before the first run, in MiB: the runtime, the compiled step, weights and gradients. */
  readonly idleMiB: number
  readonly nodes: number
  readonly compileSeconds: number
  readonly seconds: readonly number[]
}

const numbers = (seed: number, count: number, scale: number): Float32Array => {
  const next = scrambledLcg32(seed)
  return Float32Array.from({ length: count }, () => scale * (next() / 2 ** 31 - 1))
}

const step = Effect.fnUntraced(function* (settings: StepSettings) {
  const { layers, hidden, heads, batch, tokens, recompute, runs } = settings
  const config = bertConfig({
    model_type: "bert",
    vocab_size: 1000,
    hidden_size: hidden,
    num_hidden_layers: layers,
    num_attention_heads: heads,
    intermediate_size: 4 * hidden,
    max_position_embeddings: tokens,
  })
  const parameters = bertParameters(config)
  const { graph: encoder } = bertGraph(config, { batch, tokens })
  const g = new GraphBuilder()
  const out = g.callWithInputs(encoder).outputs["last_hidden_state"]!
  const weighted = g.mul(out, g.input("R", "float32", [batch, tokens, hidden]))
  const program = g.build({ loss: g.reduceMean(weighted, [], false) })
  const wrt = parameters.map(({ name }) => name)
  const graph = differentiate(program, { loss: "loss", wrt, ...(recompute === null ? {} : { recompute }) })

  const runtime = yield* Runtime
  const started = performance.now()
  const executable = yield* runtime.compile(graph)
  const compileSeconds = (performance.now() - started) / 1000
  const places = Array.from({ length: batch * tokens }, (_, index) => index)
  const feeds: Record<string, Buffer | ReturnType<typeof int64>> = {
    input_ids: int64(
      [batch, tokens],
      places.map((place) => (place * 7) % 1000),
    ),
    attention_mask: int64(
      [batch, tokens],
      places.map((place) => (place % tokens < tokens - 5 ? 1 : 0)),
    ),
    token_type_ids: int64(
      [batch, tokens],
      places.map(() => 0),
    ),
  }
  feeds["R"] = yield* runtime.upload(float32([batch, tokens, hidden], numbers(1, batch * tokens * hidden, 1)))
  const into: Record<string, Buffer> = {}
  for (const [index, { name, dims, role }] of parameters.entries()) {
    const data = numbers(index + 2, elementCount(dims), role === "scale" ? 0.1 : 0.05)
    if (role === "scale") for (let i = 0; i < data.length; i++) data[i]! += 1
    feeds[name] = yield* runtime.upload(float32(dims, data))
    into[gradientName(name)] = yield* runtime.upload(float32(dims, new Float32Array(data.length)))
  }
  const idleMiB = Math.round(process.memoryUsage.rss() / 2 ** 20)
  const seconds: number[] = []
  let loss = Number.NaN
  for (let run = 0; run < runs; run++) {
    const begun = performance.now()
    const outputs = yield* executable.run(feeds, { into })
    seconds.push((performance.now() - begun) / 1000)
    loss = Number(outputs["loss"]?.data[0])
  }
  const peakMiB = Math.round(process.resourceUsage().maxRSS / 1024)
  const hash = createHash("sha256")
  for (const buffer of Object.values(into)) {
    const { data } = yield* runtime.download(buffer)
    if (ArrayBuffer.isView(data)) hash.update(data)
  }
  return { loss, gradients: hash.digest("hex"), peakMiB, idleMiB, nodes: graph.nodes.length, compileSeconds, seconds }
})

if (import.meta.main) {
  const settings: StepSettings = JSON.parse(process.argv[2] ?? "{}")
  const report: StepReport = await Effect.runPromise(
    Effect.scoped(step(settings)).pipe(Effect.provide(layer({ threads: settings.threads }))),
  )
  console.log(JSON.stringify(report))
}
