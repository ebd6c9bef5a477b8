// The monorepo as scripts see it: where it lies and which packages it holds.
import { existsSync, globSync, readFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"

/** The parts of a package.json that scripts read. */
export interface Manifest {
  readonly name: string
  readonly version: string
  readonly private?: boolean
  readonly exports?: Readonly<Record<string, string | null>>
  readonly bin?: Readonly<Record<string, string>>
  readonly dependencies?: Readonly<Record<string, string>>
  readonly devDependencies?: Readonly<Record<string, string>>
  readonly peerDependencies?: Readonly<Record<string, string>>
  readonly optionalDependencies?: Readonly<Record<string, string>>
}

export interface Workspace {
  readonly name: string
  /** Relative to the root, with forward slashes: `packages/losses`. */
  readonly path: string
  readonly manifest: Manifest
}

export const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))))

export function readManifest(folder: string): Manifest {
  const manifest: Manifest = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"))
  return manifest
}

/** Every package below `packages/` and `apps/`, in alphabetical order of its path. */
export function listWorkspaces(base: string = root): ReadonlyArray<Workspace> {
  return globSync(["packages/*", "apps/*"], { cwd: base })
    .map((path) => path.replaceAll("\\", "/"))
    .filter((path) => existsSync(join(base, path, "package.json")))
    .sort()
    .map((path) => {
      const manifest = readManifest(join(base, path))
      return { name: manifest.name, path, manifest }
    })
}

/** Paths below `base` that match the patterns, sorted, with forward slashes, without anything installed or built. */
export function listFiles(patterns: ReadonlyArray<string>, base: string = root): ReadonlyArray<string> {
  return globSync([...patterns], {
    cwd: base,
    exclude: (name) => name === "node_modules" || name === "dist" || name === ".cache",
  })
    .map((path) => path.replaceAll("\\", "/"))
    .sort()
}
