import { Deferred, Effect, type Scope } from "effect"
import { BudgetReached } from "../Errors.ts"

/** The money of a pipeline. */
export interface Budget {
  /** What has been paid. */
  readonly spent: () => number
  /**
   * Sets aside what a call can cost at most, for as long as the scope lives; `pay` says what it did cost. Waits while calls
   * under way may yet cost less than is set aside for them, and ends in `BudgetReached` where there is none.
   */
  readonly reserve: (most: number) => Effect.Effect<(cost: number) => void, BudgetReached, Scope.Scope>
}

/** A budget of which `paid` is gone. Without a limit it counts only. Never more is paid than the limit. */
export const makeBudget = (limit: number | undefined, paid: number): Budget => {
  let spent = paid
  let reserved = 0
  let underway = 0
  let changed = Deferred.makeUnsafe<void>()
  const announce = () => {
    const before = changed
    changed = Deferred.makeUnsafe()
    Deferred.doneUnsafe(before, Effect.void)
  }
  const take = (most: number): Effect.Effect<void, BudgetReached> =>
    Effect.suspend(() => {
      if (limit === undefined || spent + reserved + most <= limit) {
        reserved += most
        underway += 1
        return Effect.void
      }
      if (underway > 0) return Effect.flatMap(Deferred.await(changed), () => take(most))
      return Effect.fail(
        new BudgetReached({
          message: "the next call may cost more than is left of the budget",
          field: "cost.budget",
          expected: `${money(most)} left`,
          found: `${money(spent)} of ${money(limit)} spent`,
          hint: "raise `budget` and run it again: what is finished is kept",
        }),
      )
    })
  const give = (most: number) =>
    Effect.sync(() => {
      reserved -= most
      underway -= 1
      announce()
    })
  return {
    spent: () => spent,
    reserve: (most) =>
      Effect.map(
        Effect.acquireRelease(take(most), () => give(most), { interruptible: true }),
        () => (cost: number) => {
          spent += cost
        },
      ),
  }
}

/** A sum as messages show it. */
export const money = (sum: number): string => (sum === 0 || sum >= 0.01 ? sum.toFixed(2) : sum.toPrecision(2))
