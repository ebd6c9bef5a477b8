// What the data pipeline writes goes straight into training: `tandem data export --to ralt`, `tandem ralt train`. Masked
// places have no gradient, and held-out rows are learned.
import assert from "node:assert/strict"
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { after, test } from "node:test"
import { differentiate, gradientName } from "@tandem/autodiff"
import { exportData } from "@tandem/data"
import { type Conversation, conversationLine, readDatagenSettings } from "@tandem/datagen"
import { segmentTokens } from "@tandem/datasets"
import { readInstructions } from "@tandem/datasets/node/Instructions"
import { trainRalt } from "@tandem/dual"
import { raltTrainApp } from "@tandem/dual/TrainApp"
import { makePrompts, ragTemplate } from "@tandem/generator"
import { answerNll } from "@tandem/losses"
import { type LanguageModel, tinyDecoder, trainWordPiece } from "@tandem/models"
import { loadLanguageModel } from "@tandem/models/node/LoadLanguageModel"
import { saveLanguageModel } from "@tandem/models/node/SaveLanguageModel"
import { callGenerator, labelledTexts, type RaltBatch, raltBatches } from "@tandem/objectives"
import { GraphBuilder, jointName, toNumbers } from "@tandem/onnx"
import { decodeTrainSettings } from "@tandem/runs"
import { layer } from "@tandem/runtime/node/NodeRuntime"
import { Effect } from "effect"
import { execute, onCpu } from "./support/Golden.ts"

const folder = mkdtempSync(join(tmpdir(), "tandem-generated-"))
after(() => rmSync(folder, { recursive: true, force: true }))

const owners = ["anna", "ben", "cleo", "dan", "eva", "finn"]
const conversationAt = (at: number): Conversation => {
  const chunkAt = (index: number) => {
    const text = `House ${index} belongs to ${owners[index % owners.length]}.`
    return {
      id: `c${index}`,
      source: `h${index}.md`,
      document: `h${index}`,
      index: 0,
      text,
      start: 0,
      end: text.length,
    }
  }
  const failed = at % 4 === 3
  return {
    item: {
      key: `k${at}`,
      chunk: chunkAt(at),
      shown: failed ? [chunkAt(at + 1)] : [chunkAt(at + 5), chunkAt(at)],
      failed,
    },
    turns: [
      { role: "user", text: `Who owns house ${at}?` },
      {
        role: "assistant",
        text: failed ? "I do not know." : `It belongs to ${owners[at % owners.length]} [h${at}.md].`,
      },
    ],
  }
}

/** Rows of these items, exported for training, and the template that a model trained on them is asked with. */
const exported = (name: string, from: number, to: number, more: { readonly holdOut?: number } = {}) => {
  const conversations = Array.from({ length: to - from }, (_, at) => conversationAt(from + at))
  const write = (file: string, failed: boolean): void => {
    const own = conversations.filter(({ item }) => item.failed === failed)
    writeFileSync(join(folder, file), own.map(conversationLine).join(""))
  }
  write("rag_success_convs.jsonl", false)
  write("rag_failed_convs.jsonl", true)
  return Effect.gen(function* () {
    const settings = yield* readDatagenSettings({
      path: { input_dir: "in", output_dir: folder },
      api: { small_model: "small", large_model: "large" },
      system: {
        num_items_per_group: 2,
        train_on_questions: false,
        assistant_format: "Assistant: {{ assistant }}[SEP]",
      },
    })
    return yield* exportData({ settings, to: "ralt", out: join(folder, `${name}.jsonl`), ...more })
  })
}

/** A batch of all rows of a file, as `ralt train` makes them. */
const batchOf = async (model: LanguageModel, file: string, template: string) => {
  const { examples } = await Effect.runPromise(readInstructions(file))
  const prompts = makePrompts(model, { template: ragTemplate(template), maxPrompt: 200, maxAnswer: 40 })
  const { texts, warnings } = await Effect.runPromise(labelledTexts(model, prompts, examples))
  assert.deepEqual(warnings, [])
  const [batch] = raltBatches(model, {
    ...{ questions: [], texts, prompts, batchSize: texts.length, reduction: "token", trainOnPrompt: false },
    ...{ passTokens: 1e6, seed: 0, k: 1, weights: { kind: "none" }, closedBookShare: 0, passagesPerPrompt: 1 },
    distractorShare: 1,
  }).at(0)
  return { batch, examples }
}

/** Logits of a batch where they are computed, and the loss with its gradient by each of them. */
const logitGradients = async (model: LanguageModel, { answers, tensors }: RaltBatch) => {
  const forward = await onCpu(
    Effect.gen(function* () {
      const g = new GraphBuilder()
      const { logits } = yield* callGenerator(g, model, answers, 0)
      return g.build({ logits }, "forward")
    }),
  )
  const weights = [...model.parameters].map(([name, value]) => [jointName("generator", name), value] as const)
  const known = new Set(forward.inputs.map(({ name }) => name))
  const inputs = Object.fromEntries([...weights, ...Object.entries(tensors)].filter(([name]) => known.has(name)))
  const logits = (await execute(forward, inputs))["logits"]!
  const g = new GraphBuilder()
  const places = { targets: answers.tensors["targets"]!, mask: answers.tensors["weights"]! }
  const { loss } = answerNll(
    g,
    {
      logits: g.input("logits", "float32", logits.dims),
      targets: g.input("targets", "int64", places.targets.dims),
      mask: g.input("mask", "float32", places.mask.dims),
    },
    { reduction: "sum" },
  )
  const graph = differentiate(g.build({ loss }, "loss"), { loss: "loss", wrt: ["logits"] })
  const found = await execute(graph, { logits, ...places })
  const counts = toNumbers(places.mask)
  const width = logits.dims[1]!
  const gradient = toNumbers(found[gradientName("logits")]!)
  const sizes = counts.map((_, row) => Math.hypot(...gradient.slice(row * width, (row + 1) * width)))
  const nll = Number(found["loss"]!.data[0]) / counts.reduce((sum, count) => sum + count, 0)
  return { counts, sizes, nll, rows: toNumbers(answers.tensors["logit_rows"]!) }
}

test("rows of held-out documents are in a file of their own", async () => {
  const { rows, heldOut } = await Effect.runPromise(exported("divided", 0, 12, { holdOut: 0.25 }))
  const whole = await Effect.runPromise(exported("undivided", 0, 12))
  assert.ok(heldOut !== undefined && heldOut.rows > 0 && rows > heldOut.rows)
  assert.equal(rows + heldOut.rows, whole.rows)
  const keys = (file: string): readonly string[] =>
    readFileSync(file, "utf8")
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line).id)
  const divided = [...keys(join(folder, "divided.jsonl")), ...keys(heldOut.file)]
  assert.equal(new Set(divided).size, whole.rows)
})

test("generated data train a model: masked places have gradient 0, and held-out rows become likelier", async () => {
  const train = await Effect.runPromise(exported("train", 0, 48))
  const dev = await Effect.runPromise(exported("dev", 48, 60))
  const template = readFileSync(train.template!, "utf8")
  assert.deepEqual([train.rows, dev.rows], [48, 12])
  const words = [readFileSync(train.file, "utf8"), readFileSync(dev.file, "utf8"), template]
  const vocabulary = trainWordPiece(words, { vocabularySize: 260 })
  const start = tinyDecoder({ seed: 0, vocabulary, hidden: 32, layers: 2, heads: 2, intermediate: 64, maxLength: 256 })
  await Effect.runPromise(saveLanguageModel(join(folder, "start"), start))

  const { batch, examples } = await batchOf(start, dev.file, template)
  const before = await logitGradients(start, batch)
  // Places with a weight are those before trained tokens of the segments, and no others.
  const trained = examples.flatMap((example) => {
    assert.ok(example.kind === "segments")
    return segmentTokens(example.segments, (text) => start.tokenizer.encode(text, { specialTokens: false }).ids).trained
  })
  const weighed = before.counts.filter((count) => count > 0).length
  assert.equal(weighed, trained.filter(Boolean).length)
  assert.ok(weighed < trained.length / 2)
  for (const [row, count] of before.counts.entries()) {
    if (count === 0) assert.equal(before.sizes[row], 0, `place ${before.rows[row]}`)
    else assert.ok(before.sizes[row]! > 0, `place ${before.rows[row]}`)
  }

  const settings = await Effect.runPromise(
    decodeTrainSettings(raltTrainApp, {
      ...{
        data: train.file,
        dev: dev.file,
        template: train.template,
        generator: join(folder, "start"),
        out: join(folder, "run"),
      },
      ...{ maxPrompt: 200, maxAnswer: 40, epochs: 6, batchSize: 8, lr: 1e-2, threads: 1 },
    }),
  )
  const report = await Effect.runPromise(
    trainRalt(settings, { runtime: layer({ threads: 1 }), observe: () => Effect.void }),
  )
  const model = await Effect.runPromise(loadLanguageModel(join(folder, "run", "generator")))
  const { nll } = await logitGradients(model, (await batchOf(model, dev.file, template)).batch)
  assert.ok(nll < before.nll / 2, `${before.nll} to ${nll} nats a token`)
  const { nll: all, "success.nll": success, "failed.nll": failed } = report.after ?? {}
  assert.ok(Math.abs(all! - nll) < 1e-4, `${all}, not ${nll}`)
  assert.ok(Math.min(success!, failed!) < nll && nll < Math.max(success!, failed!), `${success}, ${failed}`)
  const saved = JSON.parse(readFileSync(join(folder, "run", "generator", "rag.json"), "utf8"))
  assert.equal(saved.template.text, template)
})
