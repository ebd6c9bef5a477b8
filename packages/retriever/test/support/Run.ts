import type { Runtime } from "@tandem/runtime"
import { layer } from "@tandem/runtime/node/NodeRuntime"
import { Effect, type Scope } from "effect"

/** Runs with ONNX Runtime on one thread, so that sums have one order. */
export const withRuntime = <A, E>(effect: Effect.Effect<A, E, Runtime | Scope.Scope>): Promise<A> =>
  effect.pipe(Effect.scoped, Effect.provide(layer({ threads: 1 })), Effect.runPromise)
