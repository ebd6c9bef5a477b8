import assert from "node:assert/strict"
import { describe, it } from "node:test"
import { Clock, Effect, Fiber } from "effect"
import { TestClock } from "effect/testing"
import { makeBudget, makeRateLimit } from "../../src/index.ts"

describe("makeRateLimit", () => {
  it("lets no minute have more requests or tokens than it may", async () => {
    const program = Effect.gen(function* () {
      const limit = makeRateLimit({ requestsPerMinute: 10, tokensPerMinute: 100 })
      const entered: number[] = []
      const asking = yield* Effect.forkChild(
        Effect.forEach(
          Array.from({ length: 30 }, (_, index) => (index < 15 ? 5 : 40)),
          (tokens) =>
            Effect.gen(function* () {
              yield* limit.enter(tokens)
              entered.push(yield* Clock.currentTimeMillis)
            }),
          { concurrency: 30 },
        ),
      )
      for (let second = 0; second < 1200 && entered.length < 30; second++) yield* TestClock.adjust("1 second")
      yield* Fiber.join(asking)
      return entered
    })
    const entered = await Effect.runPromise(Effect.provide(program, TestClock.layer()))
    assert.equal(entered.length, 30)
    const amounts = entered.map((at, index) => ({ at, tokens: index < 15 ? 5 : 40 }))
    for (const { at } of amounts) {
      const minute = amounts.filter((one) => one.at >= at && one.at < at + 60_000)
      assert.ok(minute.length <= 10)
      assert.ok(minute.reduce((sum, { tokens }) => sum + tokens, 0) <= 100)
    }
  })

  it("counts what a request really had, and lets one that is too large have a minute alone", async () => {
    const program = Effect.gen(function* () {
      const limit = makeRateLimit({ tokensPerMinute: 100 })
      const settle = yield* limit.enter(100)
      settle(10)
      yield* limit.enter(90)
      const late = yield* Effect.forkChild(limit.enter(500))
      yield* TestClock.adjust("59 seconds")
      const early = late.pollUnsafe()
      yield* TestClock.adjust("2 seconds")
      yield* Fiber.join(late)
      return early
    })
    assert.equal(await Effect.runPromise(Effect.provide(program, TestClock.layer())), undefined)
  })
})

describe("makeBudget", () => {
  it("waits for calls that may yet cost less, and never passes its limit", async () => {
    const program = Effect.gen(function* () {
      const budget = makeBudget(10, 4)
      const call = (most: number, cost: number) =>
        Effect.scoped(
          Effect.gen(function* () {
            const pay = yield* budget.reserve(most)
            yield* Effect.yieldNow
            pay(cost)
          }),
        )
      yield* Effect.forEach([1, 2, 3, 4, 5], () => call(4, 1), { concurrency: 5 }).pipe(Effect.exit)
      return { spent: budget.spent(), error: yield* Effect.flip(call(4, 1)) }
    })
    const { spent, error } = await Effect.runPromise(program)
    assert.equal(spent, 7)
    assert.equal(error._tag, "BudgetReached")
    assert.equal(error.found, "7.00 of 10.00 spent")
  })
})
