// Batches of what is asked for at the same time: who shares them, who leaves them, and who hears of a failure.
import assert from "node:assert/strict"
import { test } from "node:test"
import { Deferred, Effect, Exit, Fiber, Latch, Scope } from "effect"
import { type BatcherOptions, makeBatcher } from "../src/internal/Batcher.ts"

/** Asks for numbers, of which a batch doubles each; odd ones have another key than even ones, and 13 fails. */
const doubling = (changes: Partial<BatcherOptions<number, number, string>> = {}) => {
  const batches: (readonly number[])[] = []
  const run = (items: readonly number[]) =>
    Effect.suspend(() => {
      batches.push(items)
      return items.includes(13) ? Effect.fail("unlucky") : Effect.succeed(items.map((item) => 2 * item))
    })
  return { batches, options: { most: 3, run, ...changes } }
}

/** Waits until something is so. */
const until = (isSo: () => boolean): Effect.Effect<void> =>
  Effect.suspend(() => (isSo() ? Effect.void : Effect.andThen(Effect.sleep(1), until(isSo))))

const scoped = <A, E>(body: Effect.Effect<A, E, Scope.Scope>): Promise<A> => Effect.runPromise(Effect.scoped(body))

test("what comes together shares batches, as many as one holds, in order", async () => {
  const { batches, options } = doubling()
  const found = await scoped(
    Effect.gen(function* () {
      const ask = yield* makeBatcher(options)
      return yield* Effect.forEach([1, 2, 3, 4, 5], ask, { concurrency: "unbounded" })
    }),
  )
  assert.deepEqual(found, [2, 4, 6, 8, 10])
  assert.deepEqual(batches, [
    [1, 2, 3],
    [4, 5],
  ])
})

test("items of different keys never share a batch", async () => {
  const { batches, options } = doubling({ keyOf: (item) => `${item % 2}` })
  await scoped(
    Effect.gen(function* () {
      const ask = yield* makeBatcher(options)
      return yield* Effect.forEach([1, 2, 3, 4], ask, { concurrency: "unbounded" })
    }),
  )
  assert.deepEqual(batches, [
    [1, 3],
    [2, 4],
  ])
})

test("a failure is heard of by the item that fails alone", async () => {
  const { options } = doubling()
  const found = await scoped(
    Effect.gen(function* () {
      const ask = yield* makeBatcher(options)
      return yield* Effect.forEach([1, 13, 3], (item) => Effect.exit(ask(item)), { concurrency: "unbounded" })
    }),
  )
  assert.deepEqual(
    found.map((exit) => Exit.isSuccess(exit)),
    [true, false, true],
  )
})

test("who leaves while waiting is not run, and a batch that all have left ends", async () => {
  const begun = Latch.makeUnsafe(false)
  const interrupted: string[] = []
  const batches: (readonly string[])[] = []
  await scoped(
    Effect.gen(function* () {
      const go = yield* Deferred.make<void>()
      const ask = yield* makeBatcher<string, string, never>({
        most: 4,
        run: (items) => {
          batches.push(items)
          if (items[0] !== "slow") return Effect.succeed(items)
          return begun.open.pipe(
            Effect.andThen(Deferred.await(go)),
            Effect.as(items),
            Effect.onInterrupt(() => Effect.sync(() => interrupted.push(...items))),
          )
        },
      })
      const slow = yield* Effect.forkChild(ask("slow"))
      yield* begun.await
      const waiting = yield* Effect.forkChild(ask("waiting"))
      const other = yield* Effect.forkChild(ask("other"))
      yield* Effect.yieldNow
      yield* Fiber.interrupt(waiting)
      yield* Fiber.interrupt(slow)
      assert.equal(yield* Fiber.join(other), "other")
    }),
  )
  assert.deepEqual(interrupted, ["slow"])
  assert.deepEqual(batches, [["slow"], ["other"]])
})

test("who leaves is not tried again after a failure, and nobody waits for a try that all have left", async () => {
  const tries: (readonly number[])[] = []
  await scoped(
    Effect.gen(function* () {
      const go = yield* Deferred.make<void>()
      const ended = yield* Deferred.make<void>()
      const ask = yield* makeBatcher<number, number, string>({
        most: 3,
        run: (items) => {
          tries.push(items)
          if (items.length > 1) return Effect.andThen(Deferred.await(go), Effect.fail("one of them"))
          if (items[0] !== 3) return Effect.succeed(items)
          return Effect.onInterrupt(Effect.never, () => Deferred.succeed(ended, undefined))
        },
      })
      const [first, second, third] = yield* Effect.forEach([1, 2, 3], (item) => Effect.forkChild(ask(item)))
      yield* until(() => tries.length === 1)
      yield* Fiber.interrupt(second!)
      yield* Deferred.succeed(go, undefined)
      assert.equal(yield* Fiber.join(first!), 1)
      yield* until(() => tries.length === 3)
      yield* Fiber.interrupt(third!)
      yield* Deferred.await(ended)
      assert.equal(yield* ask(4), 4)
    }),
  )
  assert.deepEqual(tries, [[1, 2, 3], [1], [3], [4]])
})

test("who leaves while a batch begins has left it", async () => {
  const tries: (readonly number[])[] = []
  await scoped(
    Effect.gen(function* () {
      const ended = yield* Deferred.make<void>()
      const ask = yield* makeBatcher<number, number, string>({
        most: 3,
        run: (items) => {
          tries.push(items)
          if (items.length > 1) return Effect.fail("one of them")
          if (items[0] === 1) return Effect.succeed(items)
          return Effect.onInterrupt(Effect.never, () => Deferred.succeed(ended, undefined))
        },
      })
      const first = yield* Effect.forkChild(ask(1))
      const second = yield* Effect.forkChild(ask(2))
      yield* Fiber.join(first)
      yield* Fiber.interrupt(second)
      if (tries.some((items) => items[0] === 2)) yield* Deferred.await(ended)
      assert.equal(yield* ask(1), 1)
    }),
  )
  assert.deepEqual(tries[0], [1, 2])
})

test("the next batch has begun when the results of the one before are told", async () => {
  const order: string[] = []
  const told = await scoped(
    Effect.gen(function* () {
      const go = yield* Deferred.make<void>()
      const ask = yield* makeBatcher<string, string, never>({
        most: 4,
        run: (items) => {
          order.push(`begins ${items}`)
          return Effect.as(items[0] === "first" ? Deferred.await(go) : Effect.yieldNow, items)
        },
      })
      const asked = (item: string) => Effect.tap(ask(item), () => Effect.sync(() => order.push(`told ${item}`)))
      const first = yield* Effect.forkChild(asked("first"))
      yield* until(() => order.length === 1)
      const others = yield* Effect.forkChild(Effect.forEach(["second", "third"], asked, { concurrency: 2 }), {
        startImmediately: true,
      })
      yield* Deferred.succeed(go, undefined)
      return [yield* Fiber.join(first), ...(yield* Fiber.join(others))]
    }),
  )
  assert.deepEqual(told, ["first", "second", "third"])
  assert.deepEqual(order, ["begins first", "begins second,third", "told first", "told second", "told third"])
})

test("who waits when everything ends is told", async () => {
  const scope = Scope.makeUnsafe()
  const ask = await Effect.runPromise(
    makeBatcher<string, never, never>({ most: 1, run: () => Effect.never }).pipe(Scope.provide(scope)),
  )
  const asked = Effect.runPromiseExit(Effect.all([ask("running"), ask("waiting")], { concurrency: 2 }))
  await new Promise((resolve) => setTimeout(resolve, 5))
  await Effect.runPromise(Scope.close(scope, Exit.void))
  assert.ok(Exit.isFailure(await asked))
})
