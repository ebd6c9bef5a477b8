// The runtime of our sides. A side that is to be profiled compiles every graph with ONNX Runtime's profiler, and keeps
// when it called the runtime, so that its rounds can be told from their preparation.
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { Runtime } from "@tandem/runtime"
import { layer } from "@tandem/runtime/node/NodeRuntime"
import { Effect, Layer } from "effect"

/** What any of our sides may be given. */
export interface SideRuntimeSettings {
  readonly threads: number
  /** The folder that takes the profiles; nothing is profiled where absent. */
  readonly profile?: string
}

/** A call of the runtime; times are milliseconds of the wall clock. */
export interface RuntimeCall {
  readonly kind: "compile" | "run" | "host"
  /** Which graph was compiled or run, counted from 0; absent where a host kernel was called. */
  readonly executable?: number
  readonly started: number
  readonly ended: number
}

/** Beside the profiler's files, whose names begin with the number of their executable and `_`. */
export const callsFile = "calls.json"

export const wallClock = (): number => performance.timeOrigin + performance.now()

export const sideRuntime = ({ threads, profile }: SideRuntimeSettings) =>
  profile === undefined ? layer({ threads }) : Layer.provide(profiled(profile), layer({ threads }))

const profiled = (folder: string) =>
  Layer.effect(
    Runtime,
    Effect.gen(function* () {
      const runtime = yield* Runtime
      const calls: RuntimeCall[] = []
      yield* Effect.addFinalizer(() => Effect.sync(() => writeFileSync(join(folder, callsFile), JSON.stringify(calls))))
      const noted = <A, E, R>(effect: Effect.Effect<A, E, R>, call: Omit<RuntimeCall, "started" | "ended">) =>
        Effect.suspend(() => {
          const started = wallClock()
          return Effect.ensuring(
            effect,
            Effect.sync(() => calls.push({ ...call, started, ended: wallClock() })),
          )
        })
      let compiled = 0
      const service: Runtime["Service"] = {
        ...runtime,
        compile: (graph, options) =>
          Effect.suspend(() => {
            const executable = compiled++
            const compiling = runtime.compile(graph, { ...options, profile: join(folder, `${executable}`) })
            return Effect.map(noted(compiling, { kind: "compile", executable }), (found) => ({
              ...found,
              run: (inputs, runOptions) => noted(found.run(inputs, runOptions), { kind: "run", executable }),
            }))
          }),
        call: (...call) => noted(runtime.call(...call), { kind: "host" }),
        callEach: (...call) => noted(runtime.callEach(...call), { kind: "host" }),
      }
      return service
    }),
  )
