// Checks what the architecture promises about imports: layers, declared dependencies, portability, no cycles.
// Usage: node scripts/check-layers.ts [ROOT]
import { readFileSync } from "node:fs"
import { isBuiltin } from "node:module"
import { join, posix, resolve } from "node:path"
import { findCycles } from "./support/Cycles.ts"
import { type Import, readImports } from "./support/Imports.ts"
import { listFiles, listWorkspaces, root, type Workspace } from "./support/Workspace.ts"

/** A package imports only from packages with a smaller number. A new package needs a row here. */
const layers: Readonly<Record<string, number>> = {
  onnx: 0,
  files: 0,
  random: 0,
  autodiff: 1,
  runtime: 1,
  datasets: 1,
  safetensors: 1,
  models: 2,
  store: 2,
  documents: 2,
  retriever: 3,
  generator: 3,
  losses: 3,
  inspection: 3,
  collators: 3,
  trainers: 4,
  evals: 4,
  report: 5,
  runs: 6,
  datagen: 6,
  objectives: 7,
  rag: 8,
  dpr: 9,
  dual: 9,
  joint: 9,
  data: 9,
  edge: 9,
  tune: 10,
  cli: 11,
}

/** Packages that run on some platforms only: they may be imported where `node:` may. */
const platformBound = ["onnxruntime-node", "usearch", "libsql", "@effect/platform-node", "@huggingface/transformers"]

/**
 * What a program must hold once, or chooses to have: packages leave it to the program as a peer dependency, apps pin it.
 */
const peers = ["effect", "onnxruntime-node", "onnxruntime-web", "usearch", "libsql"]

/** Packages for pages, which nothing that runs on Node alone may drag along. */
const webBound = ["onnxruntime-web"]

export interface Violation {
  /** Relative to the root. */
  readonly file: string
  readonly line: number
  readonly message: string
}

/** Every violation in the packages and apps below `base`, ordered by file and line. */
export function checkLayers(base: string = root): ReadonlyArray<Violation> {
  const workspaces = listWorkspaces(base)
  const violations = workspaces.flatMap((workspace) => checkWorkspace(base, workspace, workspaces))
  return violations.sort((a, b) => a.file.localeCompare(b.file) || a.line - b.line)
}

function checkWorkspace(base: string, workspace: Workspace, all: ReadonlyArray<Workspace>): ReadonlyArray<Violation> {
  const manifestFile = `${workspace.path}/package.json`
  if (layerOf(workspace) === undefined)
    return [violation(manifestFile, 1, `${workspace.name} has no layer; add it to scripts/check-layers.ts`)]

  const sources = listFiles([`${workspace.path}/src/**/*.ts`, `${workspace.path}/src/**/*.js`], base)
  const tests = listFiles([`${workspace.path}/test/**/*.ts`], base)
  const edges = new Map<string, ReadonlyArray<Import>>()
  const violations: Array<Violation> = []
  for (const file of [...sources, ...tests]) {
    const imports = readImports(readFileSync(join(base, file), "utf8"))
    if (!file.includes("/test/")) edges.set(file, imports)
    for (const found of imports) {
      const message = judge(file, found, workspace, all)
      if (message !== undefined) violations.push(violation(file, found.line, message))
    }
  }
  return [...violations, ...cycles(edges), ...unpinned(manifestFile, workspace), ...wrongPeers(manifestFile, workspace)]
}

/** What is wrong with one import, or undefined. */
function judge(file: string, found: Import, workspace: Workspace, all: ReadonlyArray<Workspace>): string | undefined {
  const { specifier } = found
  const inTests = file.startsWith(`${workspace.path}/test/`)
  if (specifier.startsWith(".")) return judgeRelative(file, found, workspace, inTests)
  if (specifier.includes("/internal/") && specifier.startsWith("@tandem/"))
    return `imports ${specifier}: internal modules belong to their own package`
  if (inTests) return undefined

  const bare = packageName(specifier)
  if ((isBuiltin(specifier) || platformBound.includes(bare)) && !mayBePlatformBound(file, workspace))
    return `imports ${specifier}: only src/node/, src/internal/node/, src/testing.ts and apps may depend on a platform`
  if (webBound.includes(bare) && !mayBeWebBound(file, workspace))
    return `imports ${specifier}: only src/web/ and src/internal/web/ may load what is made for pages`
  if (isBuiltin(specifier)) return specifier.startsWith("node:") ? undefined : `imports ${specifier} without "node:"`

  const { dependencies, peerDependencies, optionalDependencies } = workspace.manifest
  if (bare !== workspace.name && !(bare in { ...dependencies, ...peerDependencies, ...optionalDependencies }))
    return `imports ${bare}, which package.json does not declare`
  const target = all.find((other) => other.name === bare)
  if (target === undefined) return bare.startsWith("@tandem/") ? `imports ${bare}, which does not exist` : undefined
  if (target === workspace) return `imports itself as ${specifier}; use a relative path`
  const [own, other] = [layerOf(workspace), layerOf(target)]
  if (own === undefined || other === undefined || other < own) return undefined
  return `imports ${bare} (layer ${other}) from layer ${own}: imports go to lower layers only`
}

function judgeRelative(file: string, found: Import, workspace: Workspace, inTests: boolean): string | undefined {
  const target = posix.join(posix.dirname(file), found.specifier)
  if (/^(packages|apps)\//.test(target) && !target.startsWith(`${workspace.path}/`))
    return `imports ${found.specifier}, a file of another package; import the package by its name`
  if (inTests || found.typeOnly || mayBePlatformBound(file, workspace)) return undefined
  const inPackage = target.slice(workspace.path.length + 1)
  if (/^src\/(internal\/)?web\//.test(inPackage) && !mayBeWebBound(file, workspace))
    return `imports ${found.specifier}: only web/ loads what lies in web/`
  return /^src\/(internal\/)?node\//.test(inPackage)
    ? `imports ${found.specifier}: a portable module must not load what lies in node/`
    : undefined
}

const mayBeWebBound = (file: string, { path }: Workspace) =>
  file.startsWith(`${path}/src/web/`) || file.startsWith(`${path}/src/internal/web/`)

const mayBePlatformBound = (file: string, { path }: Workspace) =>
  path.startsWith("apps/") ||
  file.startsWith(`${path}/src/node/`) ||
  file.startsWith(`${path}/src/internal/node/`) ||
  file === `${path}/src/testing.ts`

function cycles(edges: ReadonlyMap<string, ReadonlyArray<Import>>): ReadonlyArray<Violation> {
  const graph = new Map<string, ReadonlyArray<string>>()
  for (const [file, imports] of edges)
    graph.set(
      file,
      imports
        .filter(({ specifier }) => specifier.startsWith("."))
        .map(({ specifier }) => posix.join(posix.dirname(file), specifier))
        .filter((target) => edges.has(target)),
    )
  return findCycles(graph).map((cycle) => {
    const [first, second] = cycle
    const line = edges
      .get(first!)
      ?.find(({ specifier }) => posix.join(posix.dirname(first!), specifier) === (second ?? first))?.line
    return violation(first!, line ?? 1, `import cycle: ${[...cycle, first].join(" → ")}`)
  })
}

function unpinned(file: string, { manifest }: Workspace): ReadonlyArray<Violation> {
  return Object.entries({ ...manifest.dependencies, ...manifest.devDependencies })
    .filter(([, version]) => !/^\d+\.\d+\.\d+/.test(version))
    .map(([name, version]) => violation(file, 1, `depends on ${name}@${version}: pin an exact version`))
}

function wrongPeers(file: string, { path, manifest }: Workspace): ReadonlyArray<Violation> {
  const owned = path.startsWith("apps/") ? [] : peers.filter((name) => name in (manifest.dependencies ?? {}))
  const untested = Object.keys(manifest.peerDependencies ?? {}).filter(
    (name) => !(name in (manifest.devDependencies ?? {})),
  )
  return [
    ...owned.map((name) => violation(file, 1, `depends on ${name}: make it a peer dependency, and a devDependency`)),
    ...untested.map((name) => violation(file, 1, `has the peer ${name}, but no devDependency with its exact version`)),
  ]
}

const layerOf = ({ name }: Workspace) => layers[name.replace("@tandem/", "")]
const packageName = (specifier: string) =>
  specifier
    .split("/")
    .slice(0, specifier.startsWith("@") ? 2 : 1)
    .join("/")
const violation = (file: string, line: number, message: string): Violation => ({ file, line, message })

if (import.meta.main) {
  const violations = checkLayers(resolve(process.argv[2] ?? root))
  for (const { file, line, message } of violations) console.error(`${file}:${line} ${message}`)
  process.exitCode = violations.length > 0 ? 1 : 0
}
