// A cold worker in Cloudflare's runtime: `npm run proof -- serve-cold [TURNS]`. From the first request of an isolate to its first
// embedding, beside a worker that does nothing but instantiate the same WebAssembly and make a session of the same model; and the
// memory that both take beyond a worker that does nothing.
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { exportRun } from "@tandem/edge/node/ExportRun"
import { layer } from "@tandem/runtime/node/NodeRuntime"
import { Effect } from "effect"
import { bundle } from "../apps/edge/src/internal/node/Bundle.ts"
import { needs } from "../bench/support/Material.ts"
import type { Experiment } from "../scripts/support/Experiment.ts"
import { installWorkerd } from "../scripts/support/Runtimes.ts"
import { startWorker } from "./support/ColdWorker.ts"
import { madeRun } from "./support/ServedRun.ts"

const alone = `import * as ort from "onnxruntime-web/wasm"
import wasm from "./ort.wasm"
ort.env.wasm.numThreads = 1
ort.env.wasm.wasmBinary = new Uint8Array(8)
let session
const make = async (env) => {
  const own = WebAssembly.instantiate
  WebAssembly.instantiate = async (_, imports) => ({ module: wasm, instance: await own(wasm, imports) })
  const model = await env.ASSETS.fetch("https://assets.local/run/retriever/onnx/model.onnx")
  session = await ort.InferenceSession.create(new Uint8Array(await model.arrayBuffer()))
  return session.inputNames.join()
}
export default { fetch: async (request, env) => new Response(await make(env)) }`

const nothing = 'export default { fetch: () => new Response("ok") }'

export const run: Experiment = async ({ args, log }) => {
  const turns = Number(args[0] ?? 5)
  const encoder = needs("TANDEM_MODELS", "all-MiniLM-L6-v2")
  const folder = mkdtempSync(join(tmpdir(), "tandem-cold-"))
  try {
    const program = await installWorkerd()
    const made = await madeRun(join(folder, "run"), { encoder })
    const out = join(folder, "workers")
    await Effect.runPromise(
      Effect.provide(exportRun({ run: made, target: "workers", dtype: "q8", out }), layer({ threads: 1 })),
    )
    const bare = join(folder, "alone")
    mkdirSync(bare)
    cpSync(join(out, "ort.wasm"), join(bare, "ort.wasm"))
    await bundle(join(bare, "worker.js"), { source: alone, platform: "browser", external: ["./ort.wasm"] })
    const empty = join(folder, "empty")
    mkdirSync(empty)
    cpSync(join(out, "ort.wasm"), join(empty, "ort.wasm"))
    writeFileSync(join(empty, "worker.js"), nothing)
    const workers = { whole: out, session: bare, nothing: empty }
    const body = JSON.stringify({ model: "tandem", input: "what is known of the bridge over river number 7?" })
    const ask = { whole: { path: "/v1/embeddings", body }, session: { path: "/" }, nothing: { path: "/" } }
    const found = new Map<string, { milliseconds: number; memory: number; next: number }[]>()
    for (let turn = 0; turn < turns; turn++)
      for (const name of ["whole", "session", "nothing"] as const) {
        const worker = await startWorker(program, { folder: workers[name], assets: out })
        const first = await worker.ask(ask[name])
        const next = name === "whole" ? await worker.ask(ask[name]) : first
        const seen = { milliseconds: first.milliseconds, memory: worker.memory(), next: next.milliseconds }
        if (name === "whole") {
          const { data } = JSON.parse(first.text)
          if (data[0].embedding.length !== 384) throw new Error("an embedding of another length")
        }
        found.set(name, [...(found.get(name) ?? []), seen])
        await worker.end()
        log(`${name}: ${seen.milliseconds.toFixed(0)} ms, ${seen.memory.toFixed(0)} MiB`)
      }
    const of = (name: string, what: "milliseconds" | "memory" | "next"): number[] =>
      (found.get(name) ?? []).map((each) => each[what])
    const ratios = of("whole", "milliseconds").map((value, turn) => value / of("session", "milliseconds")[turn]!)
    const base = median(of("nothing", "memory"))
    const beyond = { whole: median(of("whole", "memory")) - base, session: median(of("session", "memory")) - base }
    const model = statSync(join(out, "run/retriever/onnx/model.onnx")).size / 2 ** 20
    return {
      settings: { turns, encoder: "all-MiniLM-L6-v2", precision: "q8", passages: 200 },
      versions: { workerd: versionOf(program) },
      figures: {
        "until the first embedding over WebAssembly and session alone": {
          rounds: ratios.map(rounded),
          median: rounded(median(ratios)),
        },
        milliseconds: {
          "the first embedding": rounded(median(of("whole", "milliseconds"))),
          "WebAssembly and session alone": rounded(median(of("session", "milliseconds"))),
          "the next embedding": rounded(median(of("whole", "next"))),
        },
        "MiB of the process beyond a worker that does nothing, at most": {
          "the run": rounded(beyond.whole),
          "WebAssembly and session alone": rounded(beyond.session),
        },
        "MiB of the model's file": rounded(model),
      },
      holds: {
        "the first embedding takes at most 1.5 times what WebAssembly and session alone take": median(ratios) <= 1.5,
        "the process grows by less than 128 MB": beyond.whole * 2 ** 20 < 128e6,
      },
    }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

const versionOf = (program: string): string =>
  JSON.parse(readFileSync(join(program, "../../package.json"), "utf8")).version

const rounded = (value: number): number => Math.round(1000 * value) / 1000

const median = (values: readonly number[]): number =>
  values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0
