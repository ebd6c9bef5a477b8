// An index that follows its encoder: which step's weights made it, what a checkpoint remembers of one under way, and what
// becomes of a run whose index cannot be made.
import assert from "node:assert/strict"
import { test } from "node:test"
import { tinyEncoder, trainWordPiece } from "@tandem/models"
import { type LiveIndex, makeLiveIndex, type Refresh, type RetrievalSettings } from "@tandem/objectives"
import { float32, jointName, type Tensor, toNumbers } from "@tandem/onnx"
import { encodeAll, encodeCorpus, type Towers, towerFrom, untiedTowers } from "@tandem/retriever"
import type { RunEvent } from "@tandem/runs"
import { CompileFailed, Runtime } from "@tandem/runtime"
import { layer } from "@tandem/runtime/node/NodeRuntime"
import { type EmbeddedStoreShape, Exact } from "@tandem/store"
import type { Live } from "@tandem/trainers"
import { Effect, type Scope } from "effect"

const passages = ["the river was long", "the long road to the river", "a road of stone", "stone by the river"].map(
  (text, index) => ({ id: `p${index}`, text }),
)
const vocabulary = trainWordPiece(
  passages.map(({ text }) => text),
  { vocabularySize: 60 },
)
const encoder = (seed: number) => tinyEncoder({ seed, vocabulary, hidden: 16, layers: 1, heads: 2, intermediate: 32 })
const towers: Towers = untiedTowers(encoder(1), encoder(2))
const retrieval: RetrievalSettings = {
  ...{ similarity: "dot", temperature: 1, titles: undefined },
  maxLength: { query: 16, passage: 16 },
}

interface Told {
  readonly refresh: Refresh
  readonly delay: number
  readonly beside?: Runtime["Service"]
}

interface Made {
  readonly live: LiveIndex
  readonly store: EmbeddedStoreShape
  readonly events: readonly RunEvent[]
  readonly step: (step: number, weights: Live["weights"]) => Effect.Effect<void, unknown, Runtime>
}

/** An index of the passages by the weights before training, and a run's hook. */
const make = Effect.fnUntraced(function* (told: Told) {
  const contents = yield* encodeCorpus(
    { passage: towerFrom(towers, "passage"), similarity: "dot", maxLength: 16 },
    passages,
  )
  const store = yield* Exact.make(contents.identity)
  yield* store.replace(contents)
  const events: RunEvent[] = []
  const live = yield* makeLiveIndex({
    ...{ towers, retrieval, store, ...told },
    observe: (event) => Effect.sync(() => void events.push(event)),
  })
  return {
    live,
    store,
    events,
    step: (step, weights) => Effect.forEach(live.hooks, ({ run }) => run({ step, weights }), { discard: true }),
  } satisfies Made
})

/** The passage encoder's weights after a step, each moved by so much; resident, as in training. */
const moved = Effect.fnUntraced(function* (step: number) {
  const runtime = yield* Runtime
  const entries = [...encoder(2).parameters].map(([name, own]) => {
    const values = toNumbers(own).map((value, index) => value + 0.01 * step * Math.sin(index + name.length))
    return [jointName("passage", name), float32(own.dims, values)] as const
  })
  const weights: Record<string, Live["weights"][string]> = {}
  for (const [name, value] of entries) weights[name] = yield* runtime.upload(value)
  return { weights, tensors: Object.fromEntries<Tensor>(entries) }
})

const vectorsOf = (weights: Readonly<Record<string, Tensor>>) =>
  Effect.map(
    encodeAll(towerFrom(towers, "passage", weights), passages, { kind: "passage", similarity: "dot", maxLength: 16 }),
    ({ vectors }) => [...vectors],
  )

const held = ({ store }: Made) => Effect.map(store.contents, ({ vectors }) => [...vectors])

const onCpu = <A, E>(effect: Effect.Effect<A, E, Runtime | Scope.Scope>): Promise<A> =>
  Effect.runPromise(Effect.scoped(effect).pipe(Effect.provide(layer({ threads: 1 }))))

const every4 = { refresh: { kind: "every", steps: 4 }, delay: 2 } as const

test("a new index is that of the step at which it was begun, from the step on that was fixed then", () =>
  onCpu(
    Effect.gen(function* () {
      const made = yield* make(every4)
      const before = yield* held(made)
      const expected: Record<number, readonly number[]> = {}
      for (let step = 1; step <= 11; step++) {
        const { weights, tensors } = yield* moved(step)
        expected[step] = yield* vectorsOf(tensors)
        yield* made.step(step, weights)
        const from = step < 6 ? undefined : step < 10 ? 4 : 8
        assert.deepEqual(yield* held(made), from === undefined ? before : expected[from], `step ${step}`)
        assert.equal(made.live.statistics(step)["indexAge"], step - (from ?? 0))
      }
      assert.deepEqual(
        made.events.map((event) => event.event === "refresh" && [event.madeAt, event.step]),
        [
          [4, 6],
          [8, 10],
        ],
      )
    }),
  ))

test("where it drifts below a cosine it is made anew, and the checkpoint knows the drift", () =>
  onCpu(
    Effect.gen(function* () {
      const made = yield* make({ refresh: { kind: "drift", below: 0.999 }, delay: 0 })
      const still = yield* moved(0)
      yield* made.step(10, still.weights)
      assert.equal(made.events.length, 0)
      const again = yield* make({ refresh: { kind: "drift", below: 0.999 }, delay: 0 })
      yield* again.live.state.restore(yield* made.live.state.save)
      assert.deepEqual(again.live.statistics(11), made.live.statistics(11))
      assert.ok(made.live.statistics(11)["drift"]! > 0.9999)
      yield* again.step(20, (yield* moved(20)).weights)
      assert.equal(again.live.statistics(21)["indexAge"], 1)
    }),
  ))

test("an index that cannot be made ends the run with what went wrong; the checkpoint goes on from its weights", () =>
  onCpu(
    Effect.gen(function* () {
      const runtime = yield* Runtime
      const dead: Runtime["Service"] = {
        ...runtime,
        compile: () => Effect.fail(new CompileFailed({ message: "the device is gone" })),
      }
      const made = yield* make({ ...every4, beside: dead })
      const before = yield* held(made)
      const { weights, tensors } = yield* moved(4)
      yield* made.step(4, weights)
      yield* made.step(5, (yield* moved(5)).weights)
      const checkpoint = yield* made.live.state.save
      const failure = yield* Effect.flip(made.step(6, (yield* moved(6)).weights))
      assert.ok(failure instanceof CompileFailed, String(failure))
      assert.deepEqual(yield* held(made), before)

      const resumed = yield* make(every4)
      yield* resumed.live.state.restore(checkpoint)
      assert.deepEqual(yield* held(resumed), before)
      yield* resumed.step(6, (yield* moved(6)).weights)
      assert.deepEqual(yield* held(resumed), yield* vectorsOf(tensors))
    }),
  ))

test("weights that are not finite make no index, and a checkpoint without one is refused", () =>
  onCpu(
    Effect.gen(function* () {
      const made = yield* make({ ...every4, delay: 0 })
      const before = yield* held(made)
      const runtime = yield* Runtime
      const [name = "", value] = Object.entries((yield* moved(4)).tensors)[0] ?? []
      assert.ok(value !== undefined)
      const broken = yield* runtime.upload(float32(value.dims, new Float32Array(value.data.length).fill(Number.NaN)))
      const failure = yield* Effect.flip(made.step(4, { ...(yield* moved(4)).weights, [name]: broken }))
      assert.match(String(failure), /not finite/)
      assert.deepEqual(yield* held(made), before)

      const { json } = yield* made.live.state.save
      for (const tensors of [new Map(), new Map([["vectors", float32([1, 16], new Float32Array(16))]])]) {
        const refused = yield* Effect.flip(made.live.state.restore({ json, tensors }))
        assert.match(String(refused), /holds no index that fits/)
      }
    }),
  ))
