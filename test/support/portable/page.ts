// What the browser's tests run inside a page: it is bundled, and a test calls it through `globalThis.tandem`.
import type { WebProvider } from "@tandem/runtime"
import * as promises from "@tandem/runtime/testing"
import { layer } from "@tandem/runtime/web/WebRuntime"
import { hostModules } from "@tandem/trainers/HostModules"
import { Cause, Effect, Exit } from "effect"
import { fallback } from "./Fallback.ts"
import { isStepName, runStep } from "./Steps.ts"

const runtime = (device: WebProvider) =>
  layer({
    device,
    modules: { ...hostModules, [promises.doubleKernel.module]: promises },
    wasmPaths: `${location.origin}/`,
  })

const tandem = {
  /** Undefined where the promise is kept, else why not. */
  keeps: async (device: WebProvider, name: string) => {
    const promise = promises.runtimePromises.find((known) => known.name === name)
    if (promise === undefined) return `no promise is called ${name}`
    const exit = await Effect.runPromiseExit(Effect.scoped(promise.check).pipe(Effect.provide(runtime(device))))
    return Exit.isSuccess(exit) ? undefined : Cause.pretty(exit.cause)
  },
  fallback: (device: WebProvider) => Effect.runPromise(fallback.pipe(Effect.provide(runtime(device)))),
  step: (device: WebProvider, name: string) => {
    if (!isStepName(name)) throw new Error(`no step is called ${name}`)
    return Effect.runPromise(runStep(name).pipe(Effect.provide(runtime(device))))
  },
}

Object.assign(globalThis, { tandem })
