import type { ModelError } from "@tandem/models"
import type { Runtime } from "@tandem/runtime"
import { Effect, type Scope } from "effect"
import { cachedEngine } from "./CachedEngine.ts"
import type { Engine, EngineOptions } from "./Engine.ts"
import { wholeTextEngine } from "./WholeTextEngine.ts"

/** The model's graphs on the runtime of the context, alive as long as the scope. Each is compiled when it is first used. */
export const makeEngine = Effect.fnUntraced(function* (
  options: EngineOptions,
): Effect.fn.Return<Engine, ModelError, Runtime | Scope.Scope> {
  const decoding = yield* options.model.decoding
  return yield* decoding.caches.length > 0 ? cachedEngine(options, decoding) : wholeTextEngine(options, decoding)
})
