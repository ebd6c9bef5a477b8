// The real SmolLM2-135M-Instruct gives PyTorch's logits, loss, gradients and greedy text; what is saved generates in
// transformers.js.
import { execFile } from "node:child_process"
import { existsSync, readFileSync } from "node:fs"
import { mkdtemp, rm, stat } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { promisify } from "node:util"
import { differentiate } from "@tandem/autodiff"
import { answerNll } from "@tandem/losses"
import type { Decoder } from "@tandem/models"
import { loadDecoder } from "@tandem/models/node/LoadDecoder"
import { saveDecoder } from "@tandem/models/node/SaveDecoder"
import { bool, GraphBuilder, int64, type Tensor } from "@tandem/onnx"
import { Runtime } from "@tandem/runtime"
import { layer } from "@tandem/runtime/node/NodeRuntime"
import { Effect } from "effect"
import type { ExperimentContext, ExperimentResult } from "../scripts/support/Experiment.ts"

type Norms = Readonly<Record<string, number>>

interface Golden {
  readonly model: string
  readonly weightsSha256: string
  readonly texts: readonly string[]
  readonly ids: readonly (readonly number[])[]
  readonly rows: readonly {
    readonly best: readonly (readonly number[])[]
    readonly logits: readonly (readonly number[])[]
    readonly logSumExp: readonly number[]
  }[]
  readonly loss: number
  readonly gradientNorms: Norms
  /** The same in float64. */
  readonly exact: { readonly loss: number; readonly gradientNorms: Norms }
  readonly prompt: string
  readonly promptIds: readonly number[]
  readonly generated: readonly number[]
  readonly text: string
}

const folder = "SmolLM2-135M-Instruct"
const logitTolerance = 1e-3
/** How much further from float64 a gradient may be than PyTorch's own in float32. */
const gradientAllowance = 2

export async function run({ root, log }: ExperimentContext): Promise<ExperimentResult> {
  const models = process.env["TANDEM_MODELS"]
  if (models === undefined || !existsSync(join(models, folder))) {
    throw new Error(`set TANDEM_MODELS to the folder that holds ${folder}`)
  }
  const golden: Golden = JSON.parse(readFileSync(join(root, "test/golden/smollm2.json"), "utf8"))
  const decoder = await Effect.runPromise(loadDecoder(join(models, folder)))
  const sameIds = [...golden.texts, golden.prompt].every((text, index) => {
    const expected = index < golden.ids.length ? golden.ids[index] : golden.promptIds
    return decoder.tokenizer.encode(text).ids.join() === expected?.join()
  })
  const logits = await withRuntime(logitErrors(decoder, golden))
  log(`logits ${logits}`)
  const training = await withRuntime(gradientErrors(decoder, golden))
  log(`loss ${training.loss}, gradients ${training.gradients} (${training.parameter}), PyTorch's ${training.pytorch}`)
  const saved = await generated(decoder, golden, root, log)
  const { model, weightsSha256, texts } = golden
  return {
    settings: { model, weightsSha256, texts: texts.length, logitTolerance, gradientAllowance },
    figures: { logits, ...training, saved },
    holds: {
      "token ids are Python's": sameIds,
      [`the five best logits and the log-sum at every place are PyTorch's to ${logitTolerance}`]:
        logits <= logitTolerance,
      "the loss is PyTorch's to 1e-5": training.loss <= 1e-5,
      [`every gradient's norm is float64's to ${gradientAllowance} times what PyTorch's float32 strays`]:
        training.gradients <= gradientAllowance * training.pytorch,
      "transformers.js generates PyTorch's text from the saved fp32 model":
        saved["fp32"]?.sameTokens === golden.generated.length,
    },
  }
}

const withRuntime = <A, E>(effect: Effect.Effect<A, E, Runtime>): Promise<A> =>
  Effect.runPromise(Effect.provide(effect, layer()))

/** The texts as one padded batch, its places of real tokens, and the tokens behind those that have one. */
const batchOf = ({ ids }: Golden) => {
  const tokens = Math.max(...ids.map((row) => row.length))
  const flat = (value: (row: readonly number[], column: number) => number): Tensor =>
    int64(
      [ids.length, tokens],
      ids.flatMap((row) => Array.from({ length: tokens }, (_, column) => value(row, column))),
    )
  const places = ids.flatMap((row, index) => row.map((_, column) => index * tokens + column))
  const labelled = ids.flatMap((row, index) =>
    row.slice(1).map((target, at) => ({ place: index * tokens + at, target })),
  )
  return {
    shape: { batch: ids.length, tokens, packedRows: places.length },
    feeds: {
      input_ids: flat((row, column) => row[column] ?? 0),
      attention_mask: flat((row, column) => (column < row.length ? 1 : 0)),
      packed_rows: int64([places.length], places),
    },
    places,
    labelled,
  }
}

const logitErrors = Effect.fnUntraced(function* (decoder: Decoder, golden: Golden) {
  const { shape, feeds, places } = batchOf(golden)
  const { graph } = yield* decoder.graph({ ...shape, logitRows: places.length })
  const runtime = yield* Runtime
  const inputs = { ...feeds, logit_rows: int64([places.length], places), ...Object.fromEntries(decoder.parameters) }
  return yield* Effect.scoped(
    Effect.gen(function* () {
      const executable = yield* runtime.compile({ ...graph, outputs: graph.outputs.slice(0, 1) })
      const found = (yield* executable.run(inputs))["logits"]!
      const width = found.dims[1] ?? 0
      const expected = golden.rows.flatMap(({ best, logits, logSumExp }) =>
        best.map((tokens, at) => ({ tokens, logits: logits[at] ?? [], sum: logSumExp[at] ?? 0 })),
      )
      let worst = 0
      for (const [row, { tokens, logits, sum }] of expected.entries()) {
        const values = Array.from({ length: width }, (_, at) => Number(found.data[row * width + at]))
        for (const [rank, token] of tokens.entries()) worst = Math.max(worst, Math.abs(values[token]! - logits[rank]!))
        const top = values.reduce((a, b) => Math.max(a, b))
        const own = top + Math.log(values.reduce((total, value) => total + Math.exp(value - top), 0))
        worst = Math.max(worst, Math.abs(own - sum))
      }
      return worst
    }),
  )
})

const gradientErrors = Effect.fnUntraced(function* (decoder: Decoder, golden: Golden) {
  const { shape, feeds, labelled } = batchOf(golden)
  const count = labelled.length
  const { graph } = yield* decoder.graph({ ...shape, logitRows: count })
  const g = new GraphBuilder()
  const { loss } = answerNll(g, {
    logits: g.callWithInputs(graph).outputs["logits"]!,
    targets: g.constant(
      int64(
        [count],
        labelled.map(({ target }) => target),
      ),
    ),
    mask: g.constant(bool([count], Array<boolean>(count).fill(true))),
  })
  const wrt = [...decoder.parameters.keys()]
  const runtime = yield* Runtime
  return yield* Effect.scoped(
    Effect.gen(function* () {
      const executable = yield* runtime.compile(differentiate(g.build({ loss }), { loss: "loss", wrt }))
      const places = int64(
        [count],
        labelled.map(({ place }) => place),
      )
      const result = yield* executable.run({ ...feeds, logit_rows: places, ...Object.fromEntries(decoder.parameters) })
      const norm = (name: string): number => {
        const { data } = result[`grad.${name}`]!
        let sum = 0
        for (let index = 0; index < data.length; index++) sum += Number(data[index]) ** 2
        return Math.sqrt(sum)
      }
      const worst = strays(golden.exact.gradientNorms, norm)
      return {
        loss: Math.abs(Number(result["loss"]!.data[0]) - golden.loss),
        gradients: worst.error,
        parameter: worst.name,
        parameters: wrt.length,
        pytorch: strays(golden.exact.gradientNorms, (name) => golden.gradientNorms[name] ?? 0).error,
      }
    }),
  )
})

/** The largest error of a norm, relative to it or to a thousandth of the largest. */
const strays = (exact: Norms, found: (name: string) => number) => {
  const largest = Math.max(...Object.values(exact))
  return Object.entries(exact)
    .map(([name, norm]) => ({ name, error: Math.abs(found(name) - norm) / Math.max(norm, 1e-3 * largest) }))
    .reduce((a, b) => (a.error >= b.error ? a : b))
}

/** How many tokens of each precision's text are PyTorch's, and what the file takes. */
const generated = async (decoder: Decoder, golden: Golden, root: string, log: ExperimentContext["log"]) => {
  const directory = await mkdtemp(join(tmpdir(), "smollm2-"))
  try {
    await Effect.runPromise(saveDecoder(join(directory, "model"), decoder))
    const script = join(root, "packages/models/test/support/generate.mjs")
    const found: Record<string, { readonly sameTokens: number; readonly mebibytes: number }> = {}
    for (const [dtype, file] of [
      ["fp32", "model.onnx"],
      ["fp16", "model_fp16.onnx"],
      ["q8", "model_quantized.onnx"],
    ] as const) {
      const { promptIds: prompt, prompt: text, generated: expected } = golden
      const request = JSON.stringify({
        directory: join(directory, "model"),
        dtype,
        prompt,
        text,
        count: expected.length,
      })
      const { stdout } = await promisify(execFile)(process.execPath, [script, request])
      const { tokens, text: made }: { tokens: number[]; text: string } = JSON.parse(stdout)
      const off = tokens.findIndex((token, index) => token !== expected[index])
      const { size } = await stat(join(directory, "model/onnx", file))
      found[dtype] = { sameTokens: off < 0 ? expected.length : off, mebibytes: Math.round(size / 2 ** 20) }
      log(`${dtype}: ${found[dtype].sameTokens} of ${expected.length} tokens are PyTorch's: ${JSON.stringify(made)}`)
    }
    return found
  } finally {
    await rm(directory, { recursive: true, force: true })
  }
}
