// Decoders that other exporters wrote: read, run with an empty past, and saved with other weights.
import assert from "node:assert/strict"
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { after, test } from "node:test"
import { differentiate } from "@tandem/autodiff"
import { float32, GraphBuilder, int64, readModel, type Tensor, toNumbers } from "@tandem/onnx"
import { Effect } from "effect"
import { withCopies } from "../../src/exported/TiedWeights.ts"
import { loadDecoder } from "../../src/node/LoadDecoder.ts"
import { saveDecoder } from "../../src/node/SaveDecoder.ts"
import { execute, withRuntime } from "../support/Embed.ts"
import { goldenPath, goldenTensors, largestDifference } from "../support/Golden.ts"

const scratch = await mkdtemp(join(tmpdir(), "onnx-decoder-"))
after(() => rm(scratch, { recursive: true, force: true }))

/** A directory as transformers.js has it around an export. */
const directoryOf = async (model: string, file: string): Promise<string> => {
  const directory = join(scratch, `${model}-${file}`)
  await mkdir(join(directory, "onnx"), { recursive: true })
  await cp(goldenPath(`exports/${model}/${file}.onnx`), join(directory, "onnx/model.onnx"))
  for (const name of ["tokenizer.json", "tokenizer_config.json"]) {
    await cp(goldenPath(`decoders/gpt2/${name}`), join(directory, name))
  }
  await writeFile(join(directory, "config.json"), JSON.stringify({ model_type: model, vocab_size: 64 }))
  return directory
}

const exported: readonly (readonly [model: string, files: readonly string[]])[] = [
  ["gpt2", ["dynamo", "script", "optimum"]],
  ["llama", ["dynamo", "script", "optimum", "contrib-gqa", "contrib-gqa-packed", "contrib-nbits"]],
  ["mistral", ["dynamo", "script", "contrib-gqa"]],
  ["qwen2", ["dynamo", "script"]],
  ["qwen3", ["dynamo", "script"]],
  ["smollm", ["dynamo", "script"]],
  ["phi3", ["dynamo", "script"]],
  ["gemma3", ["dynamo", "script"]],
]

/** Exports whose output layer is a turned copy of the embeddings. */
const copies = ["gpt2", "qwen2", "smollm", "gemma3"].flatMap((model) => [`${model} dynamo`, `${model} script`])

const places = [3, 0, 8]

/** Where the logits of an export stand. */
const referenceOf = (file: string): string => {
  if (file === "optimum" || file === "contrib-nbits") return file
  return file.startsWith("contrib") ? "contrib" : "reference"
}

for (const [model, files] of exported) {
  for (const file of files) {
    test(`${model}, ${file}: logits are PyTorch's, every weight has a gradient, and weights go back`, async (t) => {
      const source = await directoryOf(model, file)
      const decoder = await Effect.runPromise(loadDecoder(source))
      assert.ok(decoder.source.kind === "onnx")
      const reference = goldenTensors(`exports/${model}/${referenceOf(file)}.safetensors`)
      const out = reference.get("out")!
      const feeds: Record<string, Tensor> = {
        input_ids: reference.get("in.input_ids")!,
        attention_mask: reference.get("in.attention_mask")!,
        ...Object.fromEntries([...decoder.parameters, ...decoder.frozen]),
      }
      const [batch = 0, tokens = 0, width = 0] = out.dims
      const whole = await withRuntime(decoder.graph({ batch, tokens }))
      const found = (await execute(whole.graph, feeds))["logits"]!
      const real = toNumbers(feeds["attention_mask"]!)
      const [a, b] = [toNumbers(found), toNumbers(out)]
      const off = Math.max(...a.map((x, i) => (real[Math.floor(i / width)] === 1 ? Math.abs(x - b[i]!) : 0)))
      t.diagnostic(`${off.toExponential(1)}, ${decoder.parameters.size} weights`)
      assert.ok(off < 2e-5, `logits stray by ${off}`)

      const some = await withRuntime(decoder.graph({ batch, tokens, logitRows: places.length }))
      const g = new GraphBuilder()
      const logits = g.callWithInputs(some.graph).outputs["logits"]!
      const wrt = [...decoder.parameters.keys()]
      const graph = differentiate(g.build({ logits, loss: g.reduceMean(g.mul(logits, logits), [], false) }), {
        loss: "loss",
        wrt,
      })
      const result = await execute(graph, { ...feeds, logit_rows: int64([places.length], places) })
      const expected = places.flatMap((place) => a.slice(place * width, (place + 1) * width))
      assert.ok(largestDifference(result["logits"], float32([places.length, width], expected)) < 1e-5)
      const still = wrt.filter((name) => toNumbers(result[`grad.${name}`]!).every((x) => x === 0))
      assert.deepEqual(still, [])

      const moved = new Map(
        [...decoder.parameters].map(([name, value]) => {
          const numbers = toNumbers(value).map((x, i) => x + 0.01 * Math.sin(i))
          return [name, float32(value.dims, numbers)] as const
        }),
      )
      const target = `${source}-saved`
      await Effect.runPromise(saveDecoder(target, decoder, moved))
      const again = readModel(new Uint8Array(await readFile(join(target, "onnx/model.onnx"))))
      const written = withCopies(moved, decoder.source.tied)
      for (const [name, value] of written) assert.deepEqual(again.initializers.get(name)?.data, value.data)
      assert.equal(written.size - moved.size, copies.includes(`${model} ${file}`) ? 1 : 0)
    })
  }
}

test("exports know neither packed rows nor shared prefixes", async () => {
  const decoder = await Effect.runPromise(loadDecoder(await directoryOf("llama", "dynamo")))
  for (const more of [{ packedRows: 8 }, { prefix: { rows: 1, tokens: 2 } }]) {
    const error = await withRuntime(Effect.flip(decoder.graph({ batch: 2, tokens: 6, ...more })))
    assert.equal(error._tag, "InvalidLanguageModel")
    assert.ok("field" in error && error.field !== undefined && error.field in more)
  }
})
