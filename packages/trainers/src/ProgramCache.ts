import type { CompileFailed, RunFailed, Runtime } from "@tandem/runtime"
import { Effect, Exit, Scope } from "effect"
import type { InvalidSettings } from "./Errors.ts"
import type { Batch, Program } from "./Program.ts"
import type { ResidentState } from "./TrainState.ts"
import { type DifferentiationError, makeTrainStep, type TrainStep } from "./TrainStep.ts"

/** Gives the step for a batch, and whether it had to be compiled. */
export type ProgramCache = <B extends Batch, E, R>(
  batch: B,
  program: (batch: B) => Effect.Effect<Program, E, R>,
) => Effect.Effect<
  { readonly step: TrainStep; readonly fresh: boolean },
  E | CompileFailed | RunFailed | InvalidSettings | DifferentiationError,
  R | Runtime
>

/** Compiled steps by batch key, at most `capacity` of them: the one that was used longest ago is released first. */
export const makeProgramCache = Effect.fnUntraced(function* (
  capacity: number,
  state: ResidentState,
): Effect.fn.Return<ProgramCache, never, Scope.Scope> {
  const owner = yield* Effect.scope
  const alive = new Map<string, { readonly step: TrainStep; readonly scope: Scope.Closeable }>()
  return Effect.fnUntraced(function* <B extends Batch, E, R>(
    batch: B,
    program: (batch: B) => Effect.Effect<Program, E, R>,
  ) {
    const known = alive.get(batch.key)
    if (known !== undefined) {
      alive.delete(batch.key)
      alive.set(batch.key, known)
      return { step: known.step, fresh: false }
    }
    for (const [key, { scope }] of alive) {
      if (alive.size < capacity) break
      alive.delete(key)
      yield* Scope.close(scope, Exit.void)
    }
    const scope = yield* Scope.fork(owner)
    const step = yield* Effect.provideService(makeTrainStep(yield* program(batch), state), Scope.Scope, scope)
    alive.set(batch.key, { step, scope })
    return { step, fresh: true }
  })
})
