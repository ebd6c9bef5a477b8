// Language models trained on answers behind retrieved passages, against PyTorch: losses and every gradient, in every reduction,
// in one pass and in several, written out and with shared beginnings.
import assert from "node:assert/strict"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { test } from "node:test"
import { fileURLToPath } from "node:url"
import { gradientName } from "@tandem/autodiff"
import { answerNll } from "@tandem/losses"
import type { LanguageModel } from "@tandem/models"
import { loadLanguageModel } from "@tandem/models/node/LoadLanguageModel"
import { saveLanguageModel } from "@tandem/models/node/SaveLanguageModel"
import { callGenerator, type PreparedQuestion, type RaltBatch, raltBatches, raltProgram } from "@tandem/objectives"
import { GraphBuilder, int64, jointName, type Tensor, toNumbers } from "@tandem/onnx"
import { type Executable, Runtime } from "@tandem/runtime"
import { differentiateProgram } from "@tandem/trainers"
import { Effect } from "effect"
import { goldenJson, goldenTensors, gradientError, onCpu } from "./support/Golden.ts"

interface Golden {
  readonly questions: readonly {
    readonly prompts: readonly (readonly number[])[]
    readonly answer: readonly number[]
  }[]
  readonly weights: Readonly<Record<string, readonly (readonly number[])[]>>
  readonly losses: Readonly<Record<string, Readonly<Record<Reduction, number>>>>
  readonly gradients: Readonly<
    Record<string, Readonly<Record<string, Readonly<Record<string, readonly [number, number]>>>>>
  >
}
type Reduction = "token" | "example" | "sum"

const folderOf = (name: string): string => {
  const kind = name === "t5" || name === "bart" ? "seq2seq" : "decoders"
  return fileURLToPath(new URL(`golden/${kind}/${name}`, import.meta.url))
}

/** The fixture's questions; a passage's text says which prompt it stands for. Weights are likelihoods that scores give. */
const questionsOf = ({ questions, weights }: Golden, scenario: string): readonly PreparedQuestion[] =>
  questions.map(({ prompts }, i) => {
    const own = weights[scenario]?.[i] ?? prompts.map(() => 1)
    return {
      id: `q${i}`,
      query: `${i}`,
      answer: `${i}`,
      answers: [],
      passages: prompts.map((_, j) => ({ id: `p${j}`, text: `${j}`, score: own[j] === 0 ? 0 : Math.log(own[j]!) })),
      weight: own.some((weight) => weight > 0) ? 1 : 0,
    }
  })

const batchOf = (model: LanguageModel, golden: Golden, scenario: string, reduction: Reduction, passTokens: number) =>
  raltBatches(model, {
    questions: questionsOf(golden, scenario),
    prompts: {
      prompt: (query, [context]) => ({
        ids: golden.questions[Number(query)]!.prompts[Number(context?.text)]!,
        cut: 0,
        contexts: 1,
      }),
      answer: (text) => ({ ids: golden.questions[Number(text)]!.answer }),
      settings: { template: { kind: "text", text: "" }, maxPrompt: 20, maxAnswer: 8 },
    },
    seed: 0,
    k: 3,
    batchSize: 2,
    weights: golden.weights[scenario] === undefined ? { kind: "none" } : { kind: "retriever", temperature: 1 },
    closedBookShare: 0,
    passagesPerPrompt: 1,
    distractorShare: 0,
    reduction,
    trainOnPrompt: scenario === "whole",
    passTokens,
  }).at(0)

/** Loss and gradients of all passes, added up. Programs are kept by their batches' keys. */
const run = Effect.fnUntraced(function* (
  model: LanguageModel,
  passes: readonly RaltBatch[],
  programs: Map<string, Executable>,
) {
  const parameters = [...model.parameters].map(([name, value]) => [jointName("generator", name), value] as const)
  const names = parameters.map(([name]) => name)
  const sums = new Map<string, number[]>()
  let loss = 0
  for (const batch of passes) {
    let executable = programs.get(batch.key)
    if (executable === undefined) {
      const program = yield* raltProgram(model, batch, 0)
      executable = yield* (yield* Runtime).compile(yield* differentiateProgram(program, names))
      programs.set(batch.key, executable)
    }
    const outputs = yield* executable.run({ ...Object.fromEntries(parameters), ...batch.tensors })
    loss += Number(outputs["loss"]!.data[0])
    for (const name of names) {
      const values = toNumbers(outputs[gradientName(name)]!)
      sums.set(
        name,
        values.map((value, index) => value + (sums.get(name)?.[index] ?? 0)),
      )
    }
  }
  return { loss, gradients: new Map([...sums].map(([name, values]) => [name.slice("generator/".length), values])) }
})

/** Largest error of norms and waves, each by the gradient's norm; what is 0 by symmetry is measured by the largest. */
const summaryError = (
  expected: Readonly<Record<string, readonly [number, number]>>,
  found: ReadonlyMap<string, readonly number[]>,
): number => {
  const floor = 1e-3 * Math.max(...Object.values(expected).map(([norm]) => norm))
  const errors = Object.entries(expected).map(([name, [norm, wave]]) => {
    const values = found.get(name) ?? []
    const waves = values.reduce((sum, value, index) => sum + value * Math.cos(index), 0)
    // A sum over all elements gathers more rounding than a norm.
    const error = Math.max(Math.abs(Math.hypot(...values) - norm), Math.abs(waves - wave) / 2)
    return error / Math.max(norm, floor)
  })
  assert.equal(Object.keys(expected).length, found.size)
  return Math.max(...errors)
}

for (const name of ["llama", "gpt2", "qwen2", "t5", "bart"]) {
  test(`${name}: losses and gradients are PyTorch's`, async (t) => {
    const golden: Golden = goldenJson(`ralt/${name}.json`)
    const model = await Effect.runPromise(loadLanguageModel(folderOf(name)))
    await onCpu(
      Effect.scoped(
        Effect.gen(function* () {
          const programs = new Map<string, Executable>()
          const worst = { loss: 0, gradient: 0 }
          for (const [scenario, losses] of Object.entries(golden.losses)) {
            for (const reduction of ["token", "example", "sum"] as const) {
              const passes = batchOf(model, golden, scenario, reduction, reduction === "example" ? 1 : 1000)
              assert.equal(passes.length, reduction === "example" ? 2 : 1)
              const { loss, gradients } = yield* run(model, passes, programs)
              worst.loss = Math.max(worst.loss, Math.abs(loss / losses[reduction] - 1))
              const expected = golden.gradients[scenario]?.[reduction]
              if (expected !== undefined) worst.gradient = Math.max(worst.gradient, summaryError(expected, gradients))
              if (scenario !== "answer" || reduction !== "token" || model.kind === "seq2seq") continue
              const all = goldenTensors(`ralt/${name}.safetensors`)
              const tensors = new Map([...all].map(([key, value]) => [key.slice(2), value]))
              const { error } = gradientError(tensors, (key) => {
                const dims = tensors.get(key)?.dims ?? []
                return { type: "float32", dims, data: Float32Array.from(gradients.get(key) ?? []) }
              })
              worst.gradient = Math.max(worst.gradient, error)
            }
          }
          t.diagnostic(`loss ${worst.loss.toExponential(1)}, gradients ${worst.gradient.toExponential(1)}`)
          assert.ok(worst.loss <= 1e-5 && worst.gradient <= 1e-4, JSON.stringify(worst))
        }),
      ),
    )
  })
}

for (const name of ["llama", "t5"]) {
  test(`${name}: places that do not count, and examples of weight 0, have a gradient of exactly 0`, async () => {
    const golden: Golden = goldenJson(`ralt/${name}.json`)
    const model = await Effect.runPromise(loadLanguageModel(folderOf(name)))
    const [batch] = batchOf(model, golden, "zero", "token", 1000)
    const parameters = Object.fromEntries(
      [...model.parameters].map(([key, value]) => [jointName("generator", key), value] as const),
    )
    const { places, weights } = await onCpu(
      Effect.scoped(
        Effect.gen(function* () {
          const g = new GraphBuilder()
          const { logits, targets, weights: mask } = yield* callGenerator(g, model, batch.answers, 0)
          const rows = batch.answers.logitRows
          const size = Number(model.source.huggingFace["vocab_size"])
          // Added to logits, it has their gradient.
          const change = g.input("change", "float32", [rows, size])
          const { loss } = answerNll(g, { logits: g.add(logits, change), targets, mask }, { reduction: "sum" })
          const program = { graph: g.build({ loss }, "masked"), loss: "loss", dropout: [] }
          const { run: runOnce } = yield* (yield* Runtime).compile(yield* differentiateProgram(program, ["change"]))
          const none = { type: "float32", dims: [rows, size], data: new Float32Array(rows * size) } as const
          const outputs = yield* runOnce({ ...parameters, ...batch.tensors, change: none })
          const gradient = toNumbers(outputs[gradientName("change")]!)
          return {
            places: Array.from({ length: rows }, (_, row) =>
              gradient.slice(row * size, (row + 1) * size).some((value) => value !== 0),
            ),
            weights: toNumbers(batch.tensors["generator.weights"]!),
          }
        }),
      ),
    )
    assert.ok(weights.includes(0) && weights.some((weight) => weight !== 0))
    assert.deepEqual(
      places,
      weights.map((weight) => weight !== 0),
    )
  })
}

test("a model that is an ONNX file has the same loss and gradients, without shared beginnings", async () => {
  const folder = mkdtempSync(join(tmpdir(), "tandem-ralt-onnx-"))
  try {
    const golden: Golden = goldenJson("ralt/llama.json")
    const weights = await Effect.runPromise(loadLanguageModel(folderOf("llama")))
    await Effect.runPromise(saveLanguageModel(folder, weights, weights.parameters, { types: ["fp32"] }))
    const model = await Effect.runPromise(loadLanguageModel(folder, { prefer: "onnx" }))
    assert.equal(model.source.kind, "onnx")
    const passes = batchOf(model, golden, "weighted", "token", 1000)
    assert.equal(passes[0].statistics?.["shared"], 0)
    const { loss, gradients } = await onCpu(Effect.scoped(run(model, passes, new Map())))
    assert.ok(Math.abs(loss / golden.losses["weighted"]!.token - 1) <= 1e-5)
    assert.ok(summaryError(golden.gradients["weighted"]!["token"]!, gradients) <= 1e-4)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
})

test("labels that are shifted by one are seen, and a prefix is shared", async () => {
  const golden: Golden = goldenJson("ralt/llama.json")
  const model = await Effect.runPromise(loadLanguageModel(folderOf("llama")))
  const [batch] = batchOf(model, golden, "answer", "token", 1000)
  assert.ok(batch.statistics!["shared"]! > 0.1 && "generator.prefix_input_ids" in batch.tensors)
  const shifted = (value: Tensor): Tensor => int64(value.dims, [0, ...toNumbers(value).slice(0, -1)])
  const tensors = { ...batch.tensors, "generator.targets": shifted(batch.tensors["generator.targets"]!) }
  const { loss, gradients } = await onCpu(Effect.scoped(run(model, [{ ...batch, tensors }], new Map())))
  assert.ok(Math.abs(loss - golden.losses["answer"]!.token) > 1e-2)
  assert.ok(summaryError(golden.gradients["answer"]!["token"]!, gradients) > 0.1)
})
