import type { Graph } from "@tandem/onnx"
import { type Executable, Runtime } from "@tandem/runtime"
import { layer } from "@tandem/runtime/node/NodeRuntime"
import { Effect, Exit, ManagedRuntime, Scope } from "effect"
import type { Run } from "../../src/testing.ts"

/** Computes graphs on the CPU; a graph that runs again is not compiled again. Call `close` at the end. */
export const cpu = (): { readonly run: Run; readonly close: () => Promise<void> } => {
  const managed = ManagedRuntime.make(layer({ threads: 1 }))
  const scope = Scope.makeUnsafe()
  const compiled = new WeakMap<Graph, Promise<Executable>>()
  const compile = (graph: Graph): Promise<Executable> =>
    managed.runPromise(
      Runtime.pipe(
        Effect.flatMap((runtime) => runtime.compile(graph)),
        Scope.provide(scope),
      ),
    )
  return {
    run: async (graph, inputs) => {
      const executable = compiled.get(graph) ?? compile(graph)
      compiled.set(graph, executable)
      return managed.runPromise((await executable).run(inputs))
    },
    close: async () => {
      await managed.runPromise(Scope.close(scope, Exit.void))
      await managed.dispose()
    },
  }
}
