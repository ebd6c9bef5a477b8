// A third objective in a page, which searches a store at each step: docs/your-own-objective.md.
import assert from "node:assert/strict"
import { spawn } from "node:child_process"
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { after, test } from "node:test"
import { fileURLToPath } from "node:url"
import type { Tensor } from "@tandem/onnx"
import { layer } from "@tandem/runtime/node/NodeRuntime"
import {
  adamW,
  type Batch,
  Checkpoints,
  type Live,
  makeTrainStep,
  type Objective,
  optimize,
  type Passes,
  residentState,
  train,
} from "@tandem/trainers"
import { Effect, Layer } from "effect"
import { marginObjective } from "./support/marginObjective.ts"
import { encoder, world } from "./support/marginRun.ts"

const steps = 100
const learningRate = 3e-3

const withRuntime = Effect.provide(Layer.merge(layer({ threads: 1 }), Checkpoints.layerMemory))
const made = Effect.map(marginObjective(encoder, world), (objective) => ({
  ...objective,
  trainable: [...objective.parameters.keys()],
}))

const losses = <D, B extends Batch, E, R>(objective: Objective<D, B, E, R>) =>
  Effect.gen(function* () {
    const found: number[] = []
    const { last } = yield* train(objective, {
      optimizer: adamW(),
      schedule: { kind: "constant", learningRate, warmupSteps: 0, steps },
      seed: 0,
      fingerprint: "margin",
      saveEverySteps: 1000,
      resume: false,
      emit: (event) => Effect.sync(() => void (event.event === "step" && found.push(event.loss))),
    })
    return { found, last }
  })

/** The control: everything of a batch is made ahead, while the step before it runs. */
const prefetched = <D, B extends Batch, E, R>(objective: Objective<D, B, E, R>) => {
  let live: Live | undefined
  interface Ahead {
    readonly draft: D
    readonly passes: Passes<B> | undefined
  }
  const ahead: Objective<Ahead, B, E, R> = {
    ...objective,
    draft: (index) =>
      Effect.gen(function* () {
        const draft = yield* objective.draft(index)
        return { draft, passes: live === undefined ? undefined : yield* objective.complete(draft, live) }
      }),
    complete: ({ draft, passes }, now) => {
      live = now
      return passes === undefined ? objective.complete(draft, now) : Effect.succeed(passes)
    },
  }
  return ahead
}

/** Steps one after another, written out: search with the weights as they are, forward and backward, update. */
const writtenOut = Effect.gen(function* () {
  const objective = yield* made
  const state = yield* residentState(objective.parameters, objective.trainable, { optimizer: adamW() })
  const compiled = yield* makeTrainStep(yield* objective.program(), state)
  const found: number[] = []
  for (let step = 0; step < steps; step++) {
    const [batch] = yield* objective.complete(yield* objective.draft(step), { step, weights: state.weights })
    found.push((yield* compiled.run(batch, { seed: 0, step })).loss)
    yield* optimize(state, { optimizer: adamW() }, { learningRate, count: step + 1 })
  }
  return found
})

test("the store is searched with the weights of the step, and not of the one before", async () => {
  const [expected, own, control] = await Promise.all([
    Effect.runPromise(withRuntime(Effect.scoped(writtenOut))),
    Effect.runPromise(withRuntime(Effect.scoped(Effect.flatMap(made, losses)))),
    Effect.runPromise(withRuntime(Effect.scoped(Effect.flatMap(made, (objective) => losses(prefetched(objective)))))),
  ])
  assert.deepEqual(own.found, expected)
  assert.notDeepEqual(control.found, expected)
  const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length
  assert.ok(mean(own.found.slice(-20)) < 0.9 * mean(own.found.slice(0, 20)), `${own.found}`)
  const moved = ([name, { data }]: readonly [string, Tensor]) =>
    data.some((value, at) => value !== encoder.parameters.get(name.slice("query/".length))?.data[at])
  assert.ok([...own.last].every(moved))
})

const folder = mkdtempSync(join(tmpdir(), "tandem-margin-"))
after(() => rmSync(folder, { recursive: true, force: true }))

const rowsOf = (run: string): readonly { readonly step: number; readonly loss: number }[] => {
  const file = join(run, "metrics.jsonl")
  const lines = existsSync(file) ? readFileSync(file, "utf8").split("\n").slice(0, -1) : []
  return lines.map((line) => JSON.parse(line))
}

/** Runs the toy in a process of its own, which is killed once it has made `until` steps. */
const runIn = (run: string, resume: boolean, until = Number.POSITIVE_INFINITY): Promise<NodeJS.Signals | null> =>
  new Promise((resolve, reject) => {
    const script = fileURLToPath(new URL("./support/marginRun.ts", import.meta.url))
    const child = spawn(process.execPath, [script, run, ...(resume ? ["--resume"] : [])], {
      stdio: ["ignore", "ignore", "pipe"],
    })
    let told = ""
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      told += text
    })
    const watching = setInterval(() => void (rowsOf(run).length >= until && child.kill("SIGKILL")), 5)
    child.on("close", (code, signal) => {
      clearInterval(watching)
      if (code === 0 || signal === "SIGKILL") resolve(signal)
      else reject(new Error(told))
    })
  })

test("a run of it that is killed goes on to the same losses and the same model, bit for bit", async () => {
  const [whole, killed] = [join(folder, "whole"), join(folder, "killed")]
  assert.equal(await runIn(whole, false), null)
  assert.equal(await runIn(killed, false, 6), "SIGKILL")
  await runIn(killed, true, 18)
  await runIn(killed, true)
  const numbers = (run: string) => rowsOf(run).map(({ step, loss }) => [step, loss])
  assert.equal(numbers(whole).length, 40)
  assert.deepEqual(numbers(killed), numbers(whole))
  const model = (run: string) => readFileSync(join(run, "retriever/model.safetensors"))
  assert.deepEqual(model(killed), model(whole))
  assert.equal(JSON.parse(readFileSync(join(killed, "report.json"), "utf8")).status, "completed")
})
