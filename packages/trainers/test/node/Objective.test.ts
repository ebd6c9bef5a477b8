// What an objective may bring besides batches: passes, hooks, and states of its own in every checkpoint.
import assert from "node:assert/strict"
import { test } from "node:test"
import { float32, type Tensor } from "@tandem/onnx"
import { Runtime } from "@tandem/runtime"
import {
  adamW,
  type Batch,
  CheckpointFailed,
  Checkpoints,
  HookFailed,
  InvalidSettings,
  type Passes,
  type StatePart,
  type TrainEvent,
  TrainingInterrupted,
  train,
} from "@tandem/trainers"
import { Effect, Option } from "effect"
import { examples, lossesOf, numbers, onCpu, program, run, runOf } from "../support/Regression.ts"

const close = (a: readonly number[], b: readonly number[], tolerance: number): void => {
  assert.equal(a.length, b.length)
  for (const [index, value] of a.entries()) assert.ok(Math.abs(value - b[index]!) < tolerance, `${value} ${b[index]}`)
}

test("passes of one draft, weighted by their share of its examples, are the one batch", async () => {
  const whole = await run(20, { draft: (index) => Effect.sync(() => examples(index * 8, 8)) })
  const split = (batch: Batch): Passes<Batch> => {
    const rows = (name: string, from: number, to: number): Tensor => {
      const { dims, data } = batch.tensors[name]!
      return float32([to - from, dims[1]!], Array.from(data, Number).slice(from * dims[1]!, to * dims[1]!))
    }
    const pass = (from: number, to: number): Batch => ({
      key: `${to - from}`,
      tensors: { x: rows("x", from, to), y: rows("y", from, to) },
      examples: to - from,
      weight: (to - from) / 8,
    })
    return [pass(0, 5), pass(5, 7), pass(7, 8)]
  }
  const parts = await run(20, {
    draft: (index) => Effect.sync(() => examples(index * 8, 8)),
    complete: (batch) => Effect.succeed(split(batch)),
  })
  close(parts.losses, whole.losses, 1e-5)
  close(numbers(parts.result.last.get("w")), numbers(whole.result.last.get("w")), 1e-5)
  assert.ok(parts.events.every((event) => event.event !== "step" || event.examples === 8))
})

test("a program's further outputs are averaged by examples, or by what a batch says that they count for", async () => {
  const metrics = async (counts: readonly Readonly<Record<string, number>>[]) => {
    const { events } = await run(1, {
      complete: () =>
        Effect.succeed([
          { ...examples(0, 4), counts: counts[0]!, statistics: { share: 1 } },
          { ...examples(0, 4), counts: counts[1]!, statistics: { share: 0 } },
        ]),
    })
    const [step] = events.filter((event) => event.event === "step")
    return step?.metrics["share"]
  }
  assert.equal(await metrics([{}, {}]), 0.5)
  assert.equal(await metrics([{ share: 3 }, { share: 1 }]), 0.75)
  assert.equal(await metrics([{ share: 0 }, { share: 0 }]), 0)
})

test("each pass of a draft draws masks of its own", async () => {
  const twice = (batch: Batch): Passes<Batch> => [
    { ...batch, weight: 1 },
    { ...batch, weight: -1 },
  ]
  const losses = async (rate: number) =>
    (
      await run(3, {
        complete: (batch) => Effect.succeed(twice(batch)),
        program: (batch) => Effect.sync(() => program(batch, rate)),
      })
    ).losses
  // Equal masks would cancel, as no masks do.
  assert.deepEqual(await losses(0), [0, 0, 0])
  assert.ok((await losses(0.5)).every((loss) => loss !== 0))
})

/** A run that remembers the weight it saw every third step and adds it to the next drafts' targets. */
const remembering = (events: TrainEvent[], steps: number, over: Parameters<typeof runOf>[2] = {}) => {
  let seen = 0
  const state: StatePart<never, never> = {
    name: "seen",
    save: Effect.sync(() => ({ tensors: new Map([["seen", float32([1], [seen])]]), json: { seen } })),
    restore: ({ tensors }) =>
      Effect.sync(() => {
        seen = numbers(tensors.get("seen"))[0]!
      }),
  }
  return runOf(events, steps, {
    hooks: [
      {
        name: "look",
        everySteps: 3,
        run: Effect.fnUntraced(function* ({ weights }) {
          seen = numbers(yield* (yield* Runtime).download(weights["w"]!))[0]!
        }),
      },
    ],
    states: [state],
    complete: (batch) =>
      Effect.sync((): Passes<Batch> => {
        const y = float32(
          batch.tensors["y"]!.dims,
          Array.from(batch.tensors["y"]!.data, Number).map((value) => value + seen),
        )
        return [{ ...batch, tensors: { ...batch.tensors, y } }]
      }),
    ...over,
  })
}

test("hooks see the weights of their step, and states come back: a resumed run has the same losses", async () => {
  const whole: TrainEvent[] = []
  await onCpu(train(...remembering(whole, 20)))
  const events: TrainEvent[] = []
  await onCpu(
    Effect.gen(function* () {
      const stopRequested = Effect.sync(() => lossesOf(events).length === 8)
      const error = yield* Effect.flip(train(...remembering(events, 20, { stopRequested })))
      assert.ok(error instanceof TrainingInterrupted)
      yield* train(...remembering(events, 20, { resume: true }))
    }),
  )
  assert.deepEqual(lossesOf(events), lossesOf(whole))
  // The control: without its state the run would go on to others.
  const without: TrainEvent[] = []
  await onCpu(
    Effect.gen(function* () {
      const stopRequested = Effect.sync(() => lossesOf(without).length === 8)
      yield* Effect.flip(train(...remembering(without, 20, { stopRequested, states: [] })))
      yield* train(...remembering(without, 20, { resume: true, states: [] }))
    }),
  )
  assert.notDeepEqual(lossesOf(without), lossesOf(whole))
})

test("a hook that fails ends the run, and the last checkpoint is intact", async () => {
  const failures: readonly Effect.Effect<void, InvalidSettings>[] = [
    Effect.fail(new InvalidSettings({ message: "declared" })),
    Effect.die(new Error("broken")),
  ]
  for (const fails of failures) {
    const hook = { name: "refresh", everySteps: 7, run: () => fails }
    const { error, last } = await onCpu(
      Effect.gen(function* () {
        const error = yield* Effect.flip(train(...runOf([], 20, { hooks: [hook] })))
        return { error, last: Option.getOrThrow(yield* (yield* Checkpoints).last) }
      }),
    )
    assert.equal(last.state.step, 5)
    if (error instanceof HookFailed) assert.deepEqual([error.hook, error.step], ["refresh", 7])
    else assert.ok(error instanceof InvalidSettings)
  }
})

test("a checkpoint without a part that the run needs is refused, as is one without a parameter", async () => {
  const errors = await onCpu(
    Effect.gen(function* () {
      yield* train(...runOf([], 5))
      const part = yield* Effect.flip(train(...remembering([], 10, { resume: true })))
      const [objective, options] = runOf([], 10, { resume: true, trainable: ["w", "bias"] })
      return [part, yield* Effect.flip(train(objective, options))]
    }),
  )
  assert.ok(errors.every((error) => error instanceof CheckpointFailed))
  assert.match(errors[0]!.message, /lacks the part seen/)
  assert.match(errors[1]!.message, /no bias/)
})

test("a metric that an evaluation lacks or that is no number ends the run, and checkpoints stay readable", async () => {
  for (const metrics of [{ "mrr@10": 0.5 }, { mrr: Number.NaN }]) {
    const evaluation = { metric: "mrr", run: () => Effect.succeed(metrics) }
    const { error, last } = await onCpu(
      Effect.gen(function* () {
        const error = yield* Effect.flip(train(...runOf([], 20, { evaluation, evaluateEverySteps: 7 })))
        return { error, last: Option.getOrThrow(yield* (yield* Checkpoints).last) }
      }),
    )
    assert.ok(error instanceof InvalidSettings)
    assert.deepEqual([error.field, error.expected], ["metric", `one of ${Object.keys(metrics).join(", ")}`])
    assert.deepEqual([last.state.step, last.state.best], [5, null])
  }
})

test("a checkpoint whose slots have another shape than the optimizer's is refused", async () => {
  const error = await onCpu(
    Effect.gen(function* () {
      yield* train(...runOf([], 5))
      const narrow = { ...adamW(), slots: { ...adamW().slots, second: () => [1] } }
      return yield* Effect.flip(train(...runOf([], 10, { resume: true, optimizer: narrow })))
    }),
  )
  assert.ok(error instanceof CheckpointFailed)
  assert.deepEqual([error.tensor, error.expected, error.found], ["w", "float32[1]", "float32[3,1]"])
})

test("what can have no effect or no name is refused before the first step", async () => {
  const events: TrainEvent[] = []
  const refused = (over: Parameters<typeof runOf>[2]) => onCpu(Effect.flip(train(...runOf(events, 5, over))))
  const part = { save: Effect.succeed({ tensors: new Map(), json: null }), restore: () => Effect.void }
  for (const over of [
    { groups: [{ pattern: "reader/*", rateScale: 2 }] },
    { accumulate: 0 },
    { saveEverySteps: 1.5 },
    { evaluateEverySteps: 0 },
    { draftsPerEpoch: 0 },
    { hooks: [{ name: "never", everySteps: 0, run: () => Effect.void }] },
    { states: [{ name: "../up", ...part }] },
    {
      states: [
        { name: "same", ...part },
        { name: "same", ...part },
      ],
    },
  ]) {
    assert.ok((await refused(over)) instanceof InvalidSettings)
  }
  assert.deepEqual(events, [])
})
