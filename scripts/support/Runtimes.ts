// Bun and Deno at pinned versions, from their npm packages.
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { runCommand } from "./Command.ts"
import { root } from "./Workspace.ts"

export type RuntimeName = "bun" | "deno"

const versions: Readonly<Record<RuntimeName, string>> = { bun: "1.4.5", deno: "2.9.6" }

/** npm package and program of each runtime, by platform. */
const packages: Readonly<Record<string, Readonly<Record<RuntimeName, readonly [name: string, program: string]>>>> = {
  "linux-x64": { bun: ["@oven/bun-linux-x64", "bin/bun"], deno: ["@deno/linux-x64-glibc", "deno"] },
  "linux-arm64": { bun: ["@oven/bun-linux-aarch64", "bin/bun"], deno: ["@deno/linux-arm64-glibc", "deno"] },
  "darwin-x64": { bun: ["@oven/bun-darwin-x64", "bin/bun"], deno: ["@deno/darwin-x64", "deno"] },
  "darwin-arm64": { bun: ["@oven/bun-darwin-aarch64", "bin/bun"], deno: ["@deno/darwin-arm64", "deno"] },
  "win32-x64": { bun: ["@oven/bun-windows-x64", "bin/bun.exe"], deno: ["@deno/win32-x64", "deno.exe"] },
}

/** Installs a runtime below `.cache/runtimes` unless it is there, and returns the path of its program. */
export async function installRuntime(name: RuntimeName): Promise<string> {
  const platform = `${process.platform}-${process.arch}`
  const found = packages[platform]?.[name]
  if (found === undefined) throw new Error(`missing: ${name} has no npm package for ${platform}`)
  const [packageName, program] = found
  return installProgram(`${name}-${versions[name]}`, packageName, versions[name], program)
}

async function installProgram(label: string, packageName: string, version: string, program: string): Promise<string> {
  const folder = join(root, ".cache", "runtimes", label)
  const path = join(folder, "node_modules", packageName, program)
  if (existsSync(path)) return path
  mkdirSync(dirname(folder), { recursive: true })
  // Several processes may install at once: each finds the program whole, or not at all.
  const aside = mkdtempSync(`${folder}.`)
  writeFileSync(join(aside, "package.json"), JSON.stringify({ private: true }))
  const { status, output } = await runCommand(
    "npm",
    ["install", "--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline", `${packageName}@${version}`],
    { cwd: aside },
  )
  if (status === 0 && !existsSync(path)) {
    try {
      renameSync(aside, folder)
    } catch (cause) {
      // Another process was faster.
      if (!existsSync(path)) throw cause
    }
  }
  rmSync(aside, { recursive: true, force: true })
  if (!existsSync(path)) throw new Error(`missing: ${label} did not install\n${output}`)
  return path
}

/** Cloudflare's runtime, of which `workerd` and `miniflare` bring the same programs. */
const workerd = {
  version: "1.20261117.1",
  packages: {
    "linux-x64": "linux-64",
    "linux-arm64": "linux-arm64",
    "darwin-x64": "darwin-64",
    "darwin-arm64": "darwin-arm64",
  },
}

/** Installs Cloudflare's runtime as {@link installRuntime} does the others, and returns the path of its program. */
export async function installWorkerd(): Promise<string> {
  const found = new Map(Object.entries(workerd.packages)).get(`${process.platform}-${process.arch}`)
  if (found === undefined)
    throw new Error(`missing: workerd has no npm package for ${process.platform}-${process.arch}`)
  return installProgram(`workerd-${workerd.version}`, `@cloudflare/workerd-${found}`, workerd.version, "bin/workerd")
}

/**
 * Environment in which the runtimes ask nothing, colour nothing, keep their caches inside the project and trust the
 * certificates that the machine trusts, as npm does.
 */
export const runtimeEnvironment: NodeJS.ProcessEnv = {
  DENO_TLS_CA_STORE: "system,mozilla",
  ...process.env,
  NO_COLOR: "1",
  FORCE_COLOR: undefined,
  DENO_DIR: join(root, ".cache", "deno"),
  DENO_NO_UPDATE_CHECK: "1",
  DENO_NO_PROMPT: "1",
  DO_NOT_TRACK: "1",
}

/** Arguments with which a runtime runs a script. */
export const runArguments: Readonly<Record<RuntimeName, ReadonlyArray<string>>> = {
  bun: ["run"],
  deno: ["run", "--allow-all", "--no-check", "--no-lock"],
}
