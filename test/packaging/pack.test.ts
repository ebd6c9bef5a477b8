// Every package, packed and installed alone into an empty project the way its README says, runs that README's example on
// Node, Bun and Deno.
import assert from "node:assert/strict"
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { after, before, describe, test } from "node:test"
import { installedProgram, runCommand } from "../../scripts/support/Command.ts"
import { readExamples } from "../../scripts/support/Examples.ts"
import { installRuntime, runArguments, runtimeEnvironment } from "../../scripts/support/Runtimes.ts"
import { listWorkspaces, root, type Workspace } from "../../scripts/support/Workspace.ts"
import { type LocalRegistry, startRegistry } from "./LocalRegistry.ts"

const folder = mkdtempSync(join(tmpdir(), "tandem-pack-"))
const programs = { node: process.execPath, bun: "", deno: "" }
let registry: LocalRegistry

before(async () => {
  registry = await startRegistry(join(folder, "tarballs"))
  programs.bun = await installRuntime("bun")
  programs.deno = await installRuntime("deno")
})
after(async () => {
  await registry?.close()
  rmSync(folder, { recursive: true, force: true })
})

const installArguments: Readonly<
  Record<keyof typeof programs, (names: ReadonlyArray<string>) => ReadonlyArray<string>>
> = {
  node: (names) => ["install", "--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline", ...names],
  bun: (names) => ["add", "--ignore-scripts", "--no-progress", ...names],
  deno: (names) => ["add", "--quiet", ...names.map((name) => `npm:${name}`)],
}

/** A reader's compiler settings: strict, and Node's types from this repository. */
const compilerArguments = [
  "example.ts",
  ...["--noEmit", "--strict", "--skipLibCheck", "--pretty", "false"],
  ...["--target", "es2024", "--module", "nodenext"],
  ...["--typeRoots", join(root, "node_modules/@types"), "--types", "node"],
]

/** What the README tells a reader to install: the names after `npm install`. */
function namesToInstall({ name, path }: Workspace, readme: string): ReadonlyArray<string> {
  const commands = [...readme.matchAll(/npm install ([^`\n]+)/g)].map(([, words = ""]) => words.trim().split(/\s+/))
  const names = commands.find((words) => words.includes(name))
  assert.ok(names !== undefined, `${path}/README.md does not say "npm install ${name}"`)
  return names
}

/** What shows that the installed package works: its program where it has one, else its README's example. */
function writeTrial({ name, path, manifest }: Workspace, project: string, readme: string): ReadonlyArray<string> {
  const [program] = Object.values(manifest.bin ?? {})
  if (program !== undefined)
    return [`node_modules/${name}/${program.replace("./src/", "").replace(/\.ts$/, ".js")}`, "--help"]
  const [example] = readExamples("README.md", readme)
  assert.ok(example !== undefined, `${path}/README.md has no TypeScript example`)
  writeFileSync(join(project, "example.ts"), example.code)
  return ["example.ts"]
}

// Two at a time: an installer keeps one core busy.
describe("packed packages", { concurrency: 2 }, () => {
  for (const workspace of listWorkspaces())
    describe(workspace.name, () => {
      for (const runtime of ["node", "bun", "deno"] as const)
        test(`installs alone and runs on ${runtime}`, async () => {
          const built = registry.built.some(({ name }) => name === workspace.name)
          assert.ok(built, `${workspace.name} was not built\n${registry.buildOutput}`)
          const readmeFile = join(root, workspace.path, "README.md")
          assert.ok(existsSync(readmeFile), `${workspace.path} has no README.md`)
          const readme = readFileSync(readmeFile, "utf8")
          const project = join(folder, `${workspace.path.replaceAll("/", "-")}-${runtime}`)
          mkdirSync(project)
          writeFileSync(join(project, "package.json"), JSON.stringify({ private: true, type: "module" }))
          writeFileSync(join(project, ".npmrc"), `@tandem:registry=${registry.url}\n`)
          const trial = writeTrial(workspace, project, readme)

          const names = namesToInstall(workspace, readme)
          const client = runtime === "node" ? "npm" : programs[runtime]
          const options = { cwd: project, env: runtimeEnvironment }
          const install = await runCommand(client, installArguments[runtime](names), options)
          assert.ok(install.status === 0, `${client} could not install ${names.join(" ")}\n${install.output}`)
          if (runtime === "node" && trial[0] === "example.ts") {
            const types = await runCommand(installedProgram("tsc"), compilerArguments, options)
            assert.ok(types.status === 0, `example.ts does not compile against the published types\n${types.output}`)
          }
          const args = runtime === "node" ? [] : runArguments[runtime]
          const run = await runCommand(programs[runtime], [...args, ...trial], options)
          assert.ok(run.status === 0, `${trial.join(" ")} ended with ${run.status}\n${run.output}`)
          rmSync(project, { recursive: true, force: true })
        })
    })
})
