// The same fine-tuning by transformers and PEFT: what bench/peers/ralt-squad.py is given, and what it leaves.
import { spawn } from "node:child_process"
import { existsSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { addLora, mergeAdapters } from "@tandem/autodiff"
import { dualEncoderSampler } from "@tandem/collators"
import { writeWhole } from "@tandem/files/node/WriteWhole"
import { attachPeftAdapter, type LanguageModel } from "@tandem/models"
import { loadPeftAdapter } from "@tandem/models/node/LoadPeftAdapter"
import { generatorPart, type RaltOptions, raltBatches, raltExamples, raltProgram } from "@tandem/objectives"
import { peftDescription } from "@tandem/objectives/node/SaveGenerator"
import { joinParts } from "@tandem/onnx"
import { adaptationOf } from "@tandem/runs/Adapt"
import { runPaths } from "@tandem/runs/node/RunFolder"
import { saveAdapters } from "@tandem/runs/node/SaveAdapters"
import { Effect, Schema } from "effect"
import { peersPython } from "../../bench/support/Peers.ts"
import type { firstAnswers } from "./AnswerFile.ts"
import type { PerQuestion } from "./Pieces.ts"
import { type ReaderMaterial, readerSettings } from "./SquadReader.ts"

const script = "bench/peers/ralt-squad.py"

/** What decides our batches, which are the peer's, too. */
export const batchOptions = ({ train, prompts }: ReaderMaterial): RaltOptions => ({
  questions: train,
  prompts,
  seed: readerSettings.seed,
  k: readerSettings.k,
  batchSize: readerSettings.batchSize,
  reduction: readerSettings.reduction,
  trainOnPrompt: false,
  passTokens: 4096,
  weights: { kind: "none" },
  closedBookShare: 0,
  passagesPerPrompt: 1,
  distractorShare: 1,
  dropout: 0,
})

const jsonLines = (rows: readonly unknown[]): string => rows.map((row) => `${JSON.stringify(row)}\n`).join("")

/** Writes questions and batches as token ids, and the adapters as ours begin. */
const writePeersInput = Effect.fnUntraced(function* (folder: string, material: ReaderMaterial, base: string) {
  const { model, prompts, train } = material
  const options = batchOptions(material)
  const rows = train.map((question, index) => ({
    question: index,
    prompts: raltExamples(question, 0, options).map(({ contexts }) => prompts.prompt(question.query, contexts).ids),
    answer: prompts.answer(question.answer).ids,
  }))
  const sampler = dualEncoderSampler({ count: train.length, batchSize: options.batchSize, seed: options.seed })
  const steps = Array.from({ length: sampler.batchesPerEpoch }, (_, step) => sampler.batchAt(step).indices)
  yield* Effect.promise(() => writeWhole(join(folder, "rows.jsonl"), jsonLines(rows)))
  yield* Effect.promise(() => writeWhole(join(folder, "batches.jsonl"), jsonLines(steps)))
  const parameters = joinParts({ [generatorPart]: model.parameters })
  const [first] = raltBatches(model, options).at(0)
  const program = yield* raltProgram(model, first, 0)
  const adaptation = yield* adaptationOf(program, parameters, [...parameters.keys()], readerSettings)
  if (adaptation === undefined) return
  yield* saveAdapters(folder, adaptation, adaptation.values, {
    adapters: { [generatorPart]: peftDescription(model, base) },
  })
})

const Step = Schema.Struct({
  step: Schema.Number,
  loss: Schema.Number,
  lr: Schema.Number,
  seconds: Schema.Number,
  peakMemoryMiB: Schema.Number,
})
const Done = Schema.Struct({ steps: Schema.Number, versions: Schema.Record(Schema.String, Schema.String) })

/** Trains by the peer, or goes on where it was killed; undefined without its Python environment. */
export const trainPeer = Effect.fnUntraced(function* (
  { folder, base, root }: { readonly folder: string; readonly base: string; readonly root: string },
  material: ReaderMaterial,
  log: (line: string) => void,
) {
  const python = peersPython("torch")
  if (python === undefined) return undefined
  const result = join(folder, "done.json")
  if (!existsSync(result)) {
    if (!existsSync(runPaths(folder).adapters)) yield* writePeersInput(folder, material, "SmolLM2-135M-Instruct")
    const { lr, weightDecay, clip, warmup, threads, seed } = readerSettings
    const settings = {
      ...{ mode: "train", model: base, out: folder, rows: join(folder, "rows.jsonl"), threads, seed, saveEvery: 5 },
      ...{ batches: join(folder, "batches.jsonl"), adapter: join(runPaths(folder).adapters, generatorPart) },
      ...{ learningRate: lr, weightDecay, clip, warmup },
    }
    log("the peer trains")
    const printed = yield* Effect.promise(() => output(python, [join(root, script), JSON.stringify(settings)]))
    const done = Schema.decodeUnknownSync(Schema.fromJsonString(Done))(printed.trim().split("\n").at(-1) ?? "")
    yield* Effect.promise(() => writeWhole(result, JSON.stringify(done)))
  }
  const decode = Schema.decodeUnknownSync(Schema.fromJsonString(Step))
  return readFileSync(join(folder, "metrics.jsonl"), "utf8")
    .trimEnd()
    .split("\n")
    .map((line) => decode(line))
})

const Answer = Schema.Struct({ row: Schema.Number, nll: Schema.Number, text: Schema.String })

/**
 * Lets the peer read the prompts that our evaluation read: how many, how many nats of an answer they lie apart at most, and
 * how many texts are the same; undefined without its Python environment.
 */
export const compareEvaluators = async (
  { folder, base, root }: { readonly folder: string; readonly base: string; readonly root: string },
  ours: ReturnType<typeof firstAnswers>,
): Promise<PerQuestion | undefined> => {
  const python = peersPython("torch")
  if (python === undefined) return undefined
  const rows = join(folder, "rows.jsonl")
  await writeWhole(
    rows,
    jsonLines(ours.map(({ prompt, answer }, question) => ({ question, prompts: [prompt], answer }))),
  )
  const { threads, seed, maxAnswer } = readerSettings
  const settings = { mode: "evaluate", model: base, out: folder, rows, threads, seed, maxNew: maxAnswer }
  await output(python, [join(root, script), JSON.stringify(settings)])
  const theirs = readFileSync(join(folder, "answers.jsonl"), "utf8")
    .trimEnd()
    .split("\n")
    .map((line) => Schema.decodeUnknownSync(Schema.fromJsonString(Answer))(line))
  const pairs = theirs.map(({ row, nll, text }) => ({
    nll: Math.abs(nll - ours[row]!.nll),
    same: text.trim() === ours[row]!.text,
  }))
  return {
    prompts: [pairs.length],
    largestNatsApart: [Math.max(...pairs.map(({ nll }) => nll))],
    sameTexts: [pairs.filter(({ same }) => same).length],
  }
}

const output = (command: string, args: readonly string[]): Promise<string> =>
  new Promise((resolve, reject) => {
    // The peer allocates as its users' processes do.
    const { GLIBC_TUNABLES: _, ...env } = process.env
    const child = spawn(command, args, { stdio: ["ignore", "pipe", "inherit"], env })
    let text = ""
    child.stdout.setEncoding("utf8").on("data", (part: string) => {
      text += part
    })
    child.on("error", reject)
    child.on("close", (code) => (code === 0 ? resolve(text) : reject(new Error(`${command} ended with code ${code}`))))
  })

/** A model with adapters that PEFT wrote in its weights. */
export const withPeftAdapter = Effect.fnUntraced(function* (
  model: LanguageModel,
  folder: string,
  material: ReaderMaterial,
) {
  const [batch] = raltBatches(model, batchOptions(material)).at(0)
  const { graph } = yield* batch.answers.graph(0)
  const { settings, values } = attachPeftAdapter(yield* loadPeftAdapter(folder), graph)
  const merged = mergeAdapters(addLora(graph, settings).adapters, model.parameters, values)
  return { ...model, parameters: new Map([...model.parameters].map(([name, own]) => [name, merged.get(name) ?? own])) }
})
