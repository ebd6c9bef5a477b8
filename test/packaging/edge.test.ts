// What an edge function or a page installs: no native module comes along unasked, and a layer whose package is missing
// says so.
import assert from "node:assert/strict"
import { cpSync, globSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { after, before, test } from "node:test"
import { runCommand } from "../../scripts/support/Command.ts"
import { installRuntime, runArguments, runtimeEnvironment } from "../../scripts/support/Runtimes.ts"
import { root } from "../../scripts/support/Workspace.ts"
import { type LocalRegistry, startRegistry } from "./LocalRegistry.ts"

const folder = mkdtempSync(join(tmpdir(), "tandem-edge-"))
const project = join(folder, "project")
const programs = { node: process.execPath, bun: "", deno: "" }
let registry: LocalRegistry

before(async () => {
  programs.bun = await installRuntime("bun")
  programs.deno = await installRuntime("deno")
  registry = await startRegistry(join(folder, "tarballs"))
  mkdirSync(project)
  writeFileSync(join(project, "package.json"), JSON.stringify({ private: true, type: "module" }))
  writeFileSync(join(project, ".npmrc"), `@tandem:registry=${registry.url}\n`)
})
after(async () => {
  await registry?.close()
  rmSync(folder, { recursive: true, force: true })
})

/** Installs into the project, install scripts included. */
const install = async (...names: readonly string[]): Promise<void> => {
  const args = ["install", "--no-audit", "--no-fund", "--prefer-offline", ...names]
  const { status, output } = await runCommand("npm", args, { cwd: project, env: runtimeEnvironment })
  assert.ok(status === 0, `npm could not install ${names.join(" ")}\n${output}`)
}

/** Runs a script of `programs/` in the project; the JSON that it prints. */
const run = async (script: string, runtime: keyof typeof programs) => {
  cpSync(join(root, "test/packaging/programs", script), join(project, script))
  const args = runtime === "node" ? [script] : [...runArguments[runtime], script]
  const { status, output } = await runCommand(programs[runtime], args, { cwd: project, env: runtimeEnvironment })
  assert.ok(status === 0, output)
  // Deno reports what ends a worker on standard error, whoever listens.
  return JSON.parse(output.trim().split("\n").at(-1) ?? "")
}

const assertNothingNative = (): void => {
  assert.deepEqual(globSync("node_modules/**/*.{node,so,dll,dylib}", { cwd: project }), [])
  for (const name of ["onnxruntime-node", "usearch", "@tandem/cli"])
    assert.deepEqual(globSync(`node_modules/**/${name}/package.json`, { cwd: project }), [])
}

test("store and runtime install without a native module or an install script; the exact store works, the other layers name what they lack", async () => {
  await install("@tandem/store", "@tandem/runtime", "effect")
  assertNothingNative()
  const { packages } = JSON.parse(readFileSync(join(project, "package-lock.json"), "utf8"))
  const scripted = Object.entries<{ readonly hasInstallScript?: boolean }>(packages).filter(
    ([, { hasInstallScript }]) => hasInstallScript,
  )
  assert.deepEqual(scripted, [])
  assert.deepEqual(globSync("node_modules/onnxruntime-web/package.json", { cwd: project }), [])
  for (const runtime of ["node", "bun", "deno"] as const) {
    const { found, node, web, usearch } = await run("store-and-runtime.ts", runtime)
    assert.deepEqual(found, ["hawk"])
    assert.deepEqual(
      [node.tag, web.tag, usearch.tag],
      ["ProviderUnavailable", "ProviderUnavailable", "EngineUnavailable"],
    )
    assert.match(node.message, /needs the package onnxruntime-node, which is not installed/)
    assert.match(node.hint, /npm install onnxruntime-node.*ONNXRUNTIME_NODE_INSTALL=skip/)
    assert.match(web.message, /onnxruntime-web cannot be loaded/)
    assert.match(web.hint, /npm install onnxruntime-web/)
    assert.match(usearch.message, /usearch cannot be loaded/)
    assert.match(usearch.hint, /npm install usearch/)
  }
})

test("with onnxruntime-web besides, graphs run in WebAssembly, and still nothing is native", async () => {
  await install("@tandem/onnx", "onnxruntime-web")
  assertNothingNative()
  assert.deepEqual(await run("web-runtime.ts", "node"), [7, 10, 15, 22])
})
