// Asks onnxruntime-node's WebGPU for every promise of the runtime and prints what is not kept as JSON. A process of its own:
// a driver is chosen by the environment that a process starts with.
import { layer } from "@tandem/runtime/node/NodeRuntime"
import { runtimePromises } from "@tandem/runtime/testing"
import { Cause, Effect, Exit } from "effect"
import { fallback } from "./portable/Fallback.ts"

const webgpu = layer({ device: "webgpu", threads: 1 })
const broken: Record<string, string> = {}
for (const { name, check } of runtimePromises) {
  const exit = await Effect.runPromiseExit(Effect.scoped(check).pipe(Effect.provide(webgpu)))
  if (Exit.isFailure(exit)) broken[name] = Cause.pretty(exit.cause)
}
console.log(JSON.stringify({ broken, told: await Effect.runPromise(fallback.pipe(Effect.provide(webgpu))) }))
