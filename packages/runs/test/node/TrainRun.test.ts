// A run around the smallest objective that there is: y = x · w, in parts of one weight each.
import assert from "node:assert/strict"
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { after, test } from "node:test"
import { float32, GraphBuilder, type Tensor } from "@tandem/onnx"
import { InvalidRunError, SettingsError, TrainSettings } from "@tandem/runs"
import { trainRun } from "@tandem/runs/node/TrainRun"
import { layer } from "@tandem/runtime/node/NodeRuntime"
import { asDrafted, type Batch, CheckpointFailed, type Hook, HookFailed } from "@tandem/trainers"
import { Cause, Effect, Exit, Schema } from "effect"

const folder = mkdtempSync(join(tmpdir(), "tandem-runs-"))
after(() => rmSync(folder, { recursive: true, force: true }))

const batchAt = (index: number): Batch => {
  const x = [Math.sin(index + 1), Math.cos(index * 2)]
  return {
    key: "all",
    tensors: {
      x: float32([2, 1], x),
      y: float32(
        [2, 1],
        x.map((value) => 3 * value),
      ),
    },
    examples: 2,
  }
}

/** The mean of (x·a + x·b − y)², or without `b` where `severed`. */
const program = (severed: boolean) => {
  const g = new GraphBuilder()
  const [x, y] = [g.input("x", "float32", [2, 1]), g.input("y", "float32", [2, 1])]
  const [a, b] = [g.input("query/w", "float32", [1, 1]), g.input("passage/w", "float32", [1, 1])]
  const weight = severed ? a : g.add(a, b)
  const error = g.sub(g.matmul(x, weight), y)
  return { graph: g.build({ loss: g.reduceMean(g.mul(error, error), [0, 1], false) }), loss: "loss", dropout: [] }
}

/** Made for each run: training takes their memory over. */
const makeParameters = (): ReadonlyMap<string, Tensor> =>
  new Map([
    ["query/w", float32([1, 1], [0.5])],
    ["passage/w", float32([1, 1], [0.25])],
  ])

interface Told {
  readonly severed?: boolean
  readonly hooks?: readonly Hook<never, never>[]
  readonly measured?: boolean
}

const run = (name: string, given: object = {}, { severed = false, hooks = [], measured = false }: Told = {}) => {
  const out = join(folder, name)
  const saved: (readonly [string, number])[] = []
  const settings = { out, maxSteps: 12, saveEvery: 4, lr: 0.1, warmup: 0, epochs: 10, ...given }
  const effect = trainRun({
    command: "line train",
    settings: Schema.decodeUnknownSync(TrainSettings)(settings),
    options: { observe: () => Effect.void, runtime: layer({ threads: 1 }) },
    prepare: Effect.succeed(batchAt),
    plan: (draft) =>
      Effect.succeed({
        objective: {
          name: "line",
          parameters: makeParameters(),
          draftsPerEpoch: 10,
          draft: (index: number) => Effect.sync(() => draft(index)),
          complete: asDrafted<Batch>,
          program: () => Effect.sync(() => program(severed)),
          hooks,
        },
        ...(measured
          ? {
              measurement: {
                metric: "closeness",
                measure: ({ step }: { readonly step: number }) =>
                  Effect.succeed({
                    metrics: { n: 2, closeness: step / 100 },
                    perQuestion: { closeness: [step / 100, step / 50] },
                    shown: null,
                  }),
                baselines: {
                  guess: Effect.succeed({ metrics: { closeness: 0.01 }, perQuestion: {}, shown: null }),
                },
              },
            }
          : {}),
        inputs: { files: [], models: Effect.succeed({}), resolved: null },
        facts: { line: { slope: 3 } },
        versions: {},
        statistics: {},
        warnings: [],
        save: (trained) =>
          Effect.sync(() => {
            for (const [key, { data }] of trained) saved.push([key, Number(data[0])])
          }),
      }),
  })
  return { out, saved, effect }
}

const read = (out: string, file: string) => JSON.parse(readFileSync(join(out, file), "utf8"))
const losses = (out: string): readonly number[] =>
  readFileSync(join(out, "metrics.jsonl"), "utf8")
    .split("\n")
    .filter((line) => line.includes('"loss"'))
    .map((line) => JSON.parse(line).loss)

test("a run leaves config, rows, report and what the plan saves, and measures around training", async () => {
  const { out, saved, effect } = run("whole", { evalEvery: 5 }, { measured: true })
  const report = await Effect.runPromise(effect)
  assert.deepEqual([report.status, report.steps, report.savedStep], ["completed", 12, 12])
  assert.deepEqual(report.before, { n: 2, closeness: 0 })
  assert.deepEqual(report.after, { n: 2, closeness: 0.12 })
  assert.deepEqual(Object.keys(report.baselines ?? {}), ["guess", "untrained"])
  assert.ok(Math.abs((report.differences?.before["closeness"]?.estimate ?? 0) - 0.18) < 1e-12)
  const config = read(out, "config.json")
  assert.deepEqual([config.command, config.steps, config.line], ["line train", 12, { slope: 3 }])
  assert.deepEqual(read(out, "report.json"), report)
  assert.ok(existsSync(join(out, "report.html")))
  assert.deepEqual(
    saved.map(([name]) => name),
    ["query/w", "passage/w"],
  )
  assert.ok(losses(out).at(-1)! < losses(out)[0]!)
})

test("a part that the loss does not reach is refused before anything is written; frozen, it is no matter", async () => {
  const { out, effect } = run("severed", {}, { severed: true })
  const error = await Effect.runPromise(Effect.flip(effect))
  assert.ok(error instanceof SettingsError)
  assert.deepEqual([error.field, error.found], ["train", "passage"])
  assert.deepEqual(readdirSync(out), [])
  const rest = run("frozen", { freeze: ["passage"] }, { severed: true })
  await Effect.runPromise(rest.effect)
  assert.deepEqual(
    rest.saved.map(([name]) => name),
    ["query/w"],
  )
})

test("a hook that fails ends the run; it goes on from its last checkpoint to the same losses", async () => {
  const broken = { name: "refresh", everySteps: 7, run: () => Effect.die(new Error("the disk is gone")) }
  const { out, effect } = run("hook", {}, { hooks: [broken] })
  const error = await Effect.runPromise(Effect.flip(effect))
  assert.ok(error instanceof HookFailed)
  assert.match(error.message, /refresh.*step 7.*disk is gone/)
  assert.deepEqual(readdirSync(join(out, "checkpoints")), ["step-00000004"])
  await Effect.runPromise(run("hook", { resume: true }).effect)
  await Effect.runPromise(run("undisturbed").effect)
  assert.deepEqual(losses(out), losses(join(folder, "undisturbed")))
})

test("two runs of one process cannot work in one folder", async () => {
  const [first, second] = await Effect.runPromise(
    Effect.all([Effect.exit(run("twice").effect), Effect.exit(run("twice").effect)], { concurrency: "unbounded" }),
  )
  assert.deepEqual([first, second].filter(Exit.isSuccess).length, 1)
  const failed = [first, second].find(Exit.isFailure)
  assert.match(failed === undefined ? "" : Cause.pretty(failed.cause), /another run of this process/)
  assert.equal(losses(join(folder, "twice")).length, 12)
  assert.ok(!existsSync(join(folder, "twice/.lock")))
})

test("damaged metrics are named with their line", async () => {
  const { out, effect } = run("damaged", { maxSteps: 12 })
  await Effect.runPromise(effect)
  const file = join(out, "metrics.jsonl")
  const lines = readFileSync(file, "utf8").split("\n")
  writeFileSync(file, [lines[0], "\u0000\u0000", ...lines.slice(2)].join("\n"))
  const error = await Effect.runPromise(Effect.flip(run("damaged", { resume: true }).effect))
  assert.ok(error instanceof InvalidRunError)
  assert.equal(error.file, file)
  assert.match(error.message, /line 2/)
})

test("a folder that holds a run is refused, as is going on with other settings or from another layout", async () => {
  const again = await Effect.runPromise(Effect.flip(run("undisturbed").effect))
  assert.ok(again instanceof SettingsError && again.field === "out")
  const other = await Effect.runPromise(Effect.flip(run("undisturbed", { resume: true, lr: 0.2 }).effect))
  assert.ok(other instanceof SettingsError && other.field === "lr")
  const state = join(folder, "undisturbed/checkpoints/step-00000012/state.json")
  writeFileSync(state, JSON.stringify({ ...JSON.parse(readFileSync(state, "utf8")), format: 1 }))
  const layout = await Effect.runPromise(Effect.flip(run("undisturbed", { resume: true }).effect))
  assert.ok(layout instanceof CheckpointFailed)
  assert.deepEqual([layout.file, layout.field, layout.found], [state, "format", "1"])
})
