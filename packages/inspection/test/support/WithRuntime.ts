import type { Runtime } from "@tandem/runtime"
import { layer } from "@tandem/runtime/node/NodeRuntime"
import { Effect, type Scope } from "effect"

/** Runs a program with a runtime on one CPU thread. */
export const withRuntime = <A, E>(program: Effect.Effect<A, E, Runtime | Scope.Scope>): Promise<A> =>
  Effect.runPromise(Effect.scoped(program).pipe(Effect.provide(layer({ threads: 1 }))))
