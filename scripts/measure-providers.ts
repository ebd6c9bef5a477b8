// Runs every operator that has a gradient rule, and its gradient, on each provider, and writes what happened to
// scripts/data/providers.json, from which docs/features.md is made.
// Usage: node scripts/measure-providers.ts. WebGPU needs a Vulkan device, such as the one that comes with Chromium.
import { spawnSync } from "node:child_process"
import { readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { checkVjp, type Run } from "@tandem/autodiff/testing"
import type { Graph } from "@tandem/onnx"
import { type Executable, type ProviderUnavailable, Runtime } from "@tandem/runtime"
import { layer as nodeRuntime } from "@tandem/runtime/node/NodeRuntime"
import { layer as webRuntime } from "@tandem/runtime/web/WebRuntime"
import { Effect, Exit, type Layer, ManagedRuntime, Scope } from "effect"
import { caseOf, cases } from "../packages/autodiff/test/cases/index.ts"
import { swiftShader } from "../test/support/SwiftShader.ts"
import { root } from "./support/Workspace.ts"

export const providersFile = join(root, "scripts/data/providers.json")

/** How an operator and its gradient do on a provider: all there, some nodes left to the CPU, or wrong. */
export type Outcome = "runs" | "cpu" | "fails"

/** What `providers.json` holds. */
export interface ProviderFacts {
  readonly versions: Readonly<Record<string, string>>
  readonly operators: Readonly<Record<string, Readonly<Record<string, Outcome>>>>
}

const providers: Readonly<Record<string, () => Layer.Layer<Runtime, ProviderUnavailable>>> = {
  cpu: () => nodeRuntime({ threads: 1 }),
  wasm: () => webRuntime({ device: "wasm" }),
  webgpu: () => nodeRuntime({ device: "webgpu", threads: 1 }),
}

const measure = async (provider: string): Promise<Readonly<Record<string, Outcome>>> => {
  const runtime = ManagedRuntime.make(providers[provider]!())
  const outcomes: Record<string, Outcome> = {}
  for (const [key, list] of Object.entries(cases)) {
    let fellBack = false
    const scope = Scope.makeUnsafe()
    const compiled = new WeakMap<Graph, Promise<Executable>>()
    const run: Run = async (graph, inputs) => {
      const compile = () => Effect.flatMap(Runtime, (each) => each.compile(graph)).pipe(Scope.provide(scope))
      const made = compiled.get(graph) ?? runtime.runPromise(compile())
      compiled.set(graph, made)
      const executable = await made
      fellBack ||= executable.fallbacks.length > 0
      return runtime.runPromise(executable.run(inputs))
    }
    // Double and half precision have types of their own; the table speaks of 32-bit floats.
    const single = list.filter(({ inputs }) => inputs.every((x) => !/float(64|16)/.test(x?.type ?? ""))).slice(0, 2)
    try {
      for (const each of single) await checkVjp(run, caseOf(key, each), { draws: 1, tolerance: 2e-2 })
      outcomes[key] = fellBack ? "cpu" : "runs"
    } catch (error) {
      outcomes[key] = "fails"
      console.error(`${provider} ${key}: ${error instanceof Error ? error.message.split("\n")[0] : String(error)}`)
    }
    await runtime.runPromise(Scope.close(scope, Exit.void))
  }
  await runtime.dispose()
  return outcomes
}

const version = (name: string): string => {
  const manifest: unknown = JSON.parse(readFileSync(join(root, "node_modules", name, "package.json"), "utf8"))
  return typeof manifest === "object" && manifest !== null && "version" in manifest ? String(manifest.version) : ""
}

const [, , only] = process.argv
if (only !== undefined) console.log(JSON.stringify(await measure(only)))
else {
  // Each provider in a process of its own: a driver that fails takes nothing with it.
  const measured = Object.keys(providers).map((provider) => {
    const { stdout, stderr, status } = spawnSync(process.execPath, [import.meta.filename, provider], {
      encoding: "utf8",
      env: { ...process.env, ...(provider === "webgpu" ? swiftShader() : {}) },
    })
    process.stderr.write(stderr)
    if (status !== 0) throw new Error(`${provider}: exit ${status}`)
    const outcomes: Readonly<Record<string, Outcome>> = JSON.parse(stdout.trim().split("\n").at(-1) ?? "{}")
    return [provider, outcomes] as const
  })
  const facts: ProviderFacts = {
    versions: Object.fromEntries(["onnxruntime-node", "onnxruntime-web"].map((name) => [name, version(name)])),
    operators: Object.fromEntries(
      Object.keys(cases)
        .toSorted()
        .map((key) => [
          key,
          Object.fromEntries(measured.map(([provider, outcomes]) => [provider, outcomes[key] ?? "fails"])),
        ]),
    ),
  }
  writeFileSync(providersFile, `${JSON.stringify(facts, null, 1)}\n`)
}
