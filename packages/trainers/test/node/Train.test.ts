// The training loop on a linear regression, on a real runtime.
import assert from "node:assert/strict"
import { test } from "node:test"
import { float32, type Tensor } from "@tandem/onnx"
import { Runtime } from "@tandem/runtime"
import {
  Checkpoints,
  InvalidSettings,
  residentState,
  type TrainEvent,
  TrainingDiverged,
  TrainingInterrupted,
  train,
} from "@tandem/trainers"
import { Effect, Option } from "effect"
import { makeProgramCache } from "../../src/ProgramCache.ts"
import { examples, lossesOf, numbers, type Options, onCpu, program, run, runOf, start } from "../support/Regression.ts"

const largest = (a: readonly number[], b: readonly number[]): number => {
  assert.equal(a.length, b.length)
  return Math.max(...a.map((value, index) => Math.abs(value - b[index]!)))
}

test("training finds the truth, reports steps in order and leaves frozen parameters alone", async () => {
  const frozen = new Map([...start, ["bias", float32([1, 1], [0])]])
  const { result, events, losses } = await run(300, { parameters: frozen })
  assert.deepEqual([...result.last.keys()], ["w"])
  assert.ok(largest(numbers(result.last.get("w")), [2, -3, 0.5]) < 0.02, `${numbers(result.last.get("w"))}`)
  assert.ok(losses.at(-1)! < losses[0]! / 1000)
  const steps = events.flatMap((event) => (event.event === "step" ? [event] : []))
  assert.deepEqual(
    steps.map(({ step }) => step),
    Array.from({ length: 300 }, (_, index) => index + 1),
  )
  assert.ok(steps.every(({ metrics, loss, examples: count }) => metrics["largest"]! ** 2 >= loss && count === 4))
  assert.equal(events.filter(({ event }) => event === "compile").length, 1)
  assert.deepEqual(events.at(-1), { event: "done", step: 300, reason: "completed" })
})

test("parameters that are handed over train as copied ones do, and are empty afterwards", async () => {
  const copyOf = ({ dims, data }: Tensor) => float32(dims, Array.from(data, Number))
  const parameters = new Map([...start].map(([name, value]) => [name, copyOf(value)]))
  const [copied, handed] = [await run(20), await run(20, { parameters, handOver: true })]
  assert.deepEqual(handed.losses, copied.losses)
  assert.deepEqual(handed.result, copied.result)
  for (const [name, { data }] of parameters) {
    assert.equal(data.length, handed.result.last.has(name) ? 0 : start.get(name)?.data.length, name)
  }
})

test("a parameter that shares its memory with another is not handed over", async () => {
  const both = Float32Array.of(1, 2)
  const one = float32([2], both)
  const parameters = new Map([
    ["a", one],
    ["b", one],
    ["c", float32([1], both.subarray(1))],
  ])
  const found = await onCpu(
    Effect.gen(function* () {
      const { weights } = yield* residentState(parameters, [...parameters.keys()], { handOver: true })
      const { download } = yield* Runtime
      return (yield* Effect.forEach(Object.values(weights), download)).map(numbers)
    }),
  )
  assert.deepEqual([...both], [1, 2])
  assert.deepEqual(found, [[1, 2], [1, 2], [2]])
})

test("accumulated batches are one large batch", async () => {
  const large = await run(20, { draft: (index) => Effect.sync(() => examples(index * 8, 8)) })
  const parts = await run(20, { draft: (index) => Effect.sync(() => examples(index * 2, 2)), accumulate: 4 })
  assert.ok(largest(parts.losses, large.losses) < 1e-5)
  assert.ok(largest(numbers(parts.result.last.get("w")), numbers(large.result.last.get("w"))) < 1e-5)
  const norms = [parts, large].map(({ events }) => events.flatMap((e) => (e.event === "step" ? [e.gradNorm] : [])))
  assert.ok(largest(norms[0]!, norms[1]!) < 1e-4)
  assert.ok(parts.events.every((event) => event.event !== "step" || event.examples === 8))
})

test("dropout changes losses, equal seeds draw equal masks, and a batch of a step draws its own", async () => {
  const dropping = (seed: number) =>
    run(12, { seed, program: (batch) => Effect.sync(() => program(batch, 0.5)), accumulate: 2 })
  const [without, first, again, other] = [
    await run(12, { accumulate: 2 }),
    await dropping(1),
    await dropping(1),
    await dropping(2),
  ]
  assert.notDeepEqual(first.losses, without.losses)
  assert.deepEqual(again.losses, first.losses)
  assert.notDeepEqual(other.losses, first.losses)
})

test("batches of several shapes train the same weights", async () => {
  const sizes = [1, 2, 3, 4]
  const draft = (index: number) => Effect.sync(() => examples(index * 4, sizes[index % 4]!))
  const cached = await run(40, { draft })
  const evicted = await run(40, { draft, programs: 1 })
  assert.deepEqual(evicted.losses, cached.losses)
  const compiled = ({ events }: typeof cached) => events.flatMap((e) => (e.event === "compile" ? [e.key] : []))
  assert.deepEqual(compiled(cached), ["1", "2", "3", "4"])
  assert.equal(compiled(evicted).length, 40)
})

test("the program used longest ago is released first", async () => {
  const fresh = await onCpu(
    Effect.gen(function* () {
      const cache = yield* makeProgramCache(2, yield* residentState(start, ["w"]))
      const seen: string[] = []
      for (const size of [1, 2, 1, 3, 1, 2]) {
        const { fresh } = yield* cache(examples(0, size), (batch) => Effect.sync(() => program(batch)))
        seen.push(`${size}${fresh ? " compiled" : ""}`)
      }
      return seen
    }),
  )
  assert.deepEqual(fresh, ["1 compiled", "2 compiled", "1", "3 compiled", "1", "2 compiled"])
})

test("a released program cannot run, one that was kept can", async () => {
  const exits = await onCpu(
    Effect.gen(function* () {
      const cache = yield* makeProgramCache(1, yield* residentState(start, ["w"]))
      const [one, two] = [examples(0, 1), examples(0, 2)]
      const build = (batch: typeof one) => Effect.sync(() => program(batch))
      const old = (yield* cache(one, build)).step
      const kept = (yield* cache(two, build)).step
      return [
        (yield* Effect.exit(old.run(one, { seed: 0, step: 0 })))._tag,
        (yield* Effect.exit(kept.run(two, { seed: 0, step: 0 })))._tag,
      ]
    }),
  )
  assert.deepEqual(exits, ["Failure", "Success"])
})

/** A run whose evaluations, every second step, give these values one after another, and the weights that each saw. */
const evaluated = async (
  values: readonly number[],
  steps: number,
  { patience, better = "larger" }: { readonly patience?: number; readonly better?: "larger" | "smaller" } = {},
) => {
  const seen: (readonly number[])[] = []
  const evaluation: Options["evaluation"] = {
    metric: "score",
    better,
    run: Effect.fnUntraced(function* ({ weights }) {
      seen.push(numbers(yield* (yield* Runtime).download(weights["w"]!)))
      return { score: values[seen.length - 1] ?? 0 }
    }),
  }
  const stopping = patience === undefined ? {} : { patience }
  return { ...(await run(steps, { evaluation, evaluateEverySteps: 2, ...stopping })), seen }
}

test("the best evaluation's weights come back, the earlier of equals", async () => {
  const { result, events, seen } = await evaluated([0.1, 0.9, 0.5, 0.9, 0.2], 10)
  assert.equal(result.best?.step, 4)
  assert.equal(result.best?.value, 0.9)
  assert.deepEqual(numbers(result.best?.weights.get("w")), seen[1])
  assert.notDeepEqual(numbers(result.last.get("w")), seen[1])
  assert.deepEqual(numbers(result.last.get("w")), seen[4])
  assert.deepEqual(
    events.flatMap((event) => (event.event === "checkpoint" && event.best ? [event.step] : [])),
    [2, 4],
  )
})

test("where smaller is better, the smallest evaluation is the best", async () => {
  const { result, seen } = await evaluated([0.5, 0.9, 0.1, 0.1, 0.2], 10, { better: "smaller" })
  assert.deepEqual([result.best?.step, result.best?.value], [6, 0.1])
  assert.deepEqual(numbers(result.best?.weights.get("w")), seen[2])
})

test("training stops after evaluations without a better one", async () => {
  const { result, events } = await evaluated([0.1, 0.9, 0.5, 0.9, 1], 100, { patience: 2 })
  assert.equal(result.reason, "early stop")
  assert.equal(result.steps, 8)
  assert.equal(result.best?.step, 4)
  assert.deepEqual(events.at(-1), { event: "done", step: 8, reason: "early stop" })
})

for (const [what, bad] of [
  ["loss", Number.NaN],
  ["gradient", 1e25],
] as const) {
  test(`a ${what} that is not finite ends the run and leaves weights and checkpoints`, async () => {
    const events: TrainEvent[] = []
    const spoiled = (index: number) => {
      const batch = examples(index * 4, 4)
      return index === 7 ? { ...batch, tensors: { ...batch.tensors, y: float32([4, 1], [bad, bad, bad, bad]) } } : batch
    }
    const { error, last } = await onCpu(
      Effect.gen(function* () {
        const failing = train(...runOf(events, 20, { draft: (index) => Effect.sync(() => spoiled(index)) }))
        const error = yield* Effect.flip(failing)
        return { error, last: Option.getOrThrow(yield* (yield* Checkpoints).last) }
      }),
    )
    assert.ok(error instanceof TrainingDiverged)
    assert.equal(error.step, 8)
    assert.match(error.message, /step 8/)
    assert.equal(lossesOf(events).length, 7)
    assert.equal(last.state.step, 5)
    const { result } = await run(5)
    assert.deepEqual(last.weights, result.last)
  })
}

test("a run that was interrupted goes on to the same weights", async () => {
  const whole = await run(20, { program: (batch) => Effect.sync(() => program(batch, 0.25)) })
  const events: TrainEvent[] = []
  const result = await onCpu(
    Effect.gen(function* () {
      const dropping = { program: (batch: Parameters<typeof program>[0]) => Effect.sync(() => program(batch, 0.25)) }
      const stopRequested = Effect.sync(() => lossesOf(events).length === 7)
      const error = yield* Effect.flip(train(...runOf(events, 20, { ...dropping, stopRequested })))
      assert.ok(error instanceof TrainingInterrupted)
      assert.equal(error.step, 7)
      return yield* train(...runOf(events, 20, { ...dropping, resume: true }))
    }),
  )
  assert.deepEqual(lossesOf(events), whole.losses)
  assert.deepEqual(result.last, whole.result.last)
  assert.ok(events.some((event) => event.event === "resume" && event.step === 7))
})

test("a checkpoint of another run is refused", async () => {
  const error = await onCpu(
    Effect.gen(function* () {
      yield* train(...runOf([], 5))
      return yield* Effect.flip(train(...runOf([], 10, { fingerprint: "another", resume: true })))
    }),
  )
  assert.ok(error instanceof InvalidSettings)
  assert.deepEqual([error.expected, error.found], ["another", "regression"])
})

for (const [name, over, tensor] of [
  ["that is not there", { trainable: ["w", "v"] }, "v"],
  [
    "that the loss does not see",
    { trainable: ["w", "v"], parameters: new Map([...start, ["v", float32([1], [1])]]) },
    "v",
  ],
] as const) {
  test(`a parameter ${name} cannot be trained`, async () => {
    const error = await onCpu(Effect.flip(train(...runOf([], 5, over))))
    assert.ok(error instanceof InvalidSettings)
    assert.equal(error.tensor, tensor)
  })
}
