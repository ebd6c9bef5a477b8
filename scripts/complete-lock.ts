// Adds to package-lock.json the optional packages for other platforms that a registry mirror did not offer when the lock
// was written. `npm ci` refuses a lock without them, although it never fetches them here.
// Usage, after every change of dependencies: node scripts/complete-lock.ts [--check]
import { readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { root } from "./support/Workspace.ts"

interface LockEntry {
  readonly version?: string
  readonly dev?: boolean
  readonly optional?: boolean
  readonly os?: ReadonlyArray<string>
  readonly cpu?: ReadonlyArray<string>
  readonly libc?: ReadonlyArray<string>
  readonly optionalDependencies?: Readonly<Record<string, string>>
}

interface Lock {
  readonly packages: Record<string, LockEntry>
}

const systems = "aix android darwin freebsd linux netbsd openbsd openharmony sunos win32".split(" ")
const processors = "arm arm64 ia32 loong64 mips64el ppc64 ppc64le riscv64 s390x wasm32 x64".split(" ")
const aliases: Readonly<Record<string, string>> = {
  windows: "win32",
  win: "win32",
  macos: "darwin",
  "64": "x64",
  amd64: "x64",
  x86_64: "x64",
  aarch64: "arm64",
}

/** Optional dependencies with an exact version that no entry of the lock provides, as entries to add. */
export function missingEntries(lock: Lock): ReadonlyArray<readonly [path: string, entry: LockEntry]> {
  return Object.entries(lock.packages).flatMap(([parent, { dev, optionalDependencies }]) =>
    Object.entries(optionalDependencies ?? {}).flatMap(([name, version]) => {
      const provided = lock.packages[`node_modules/${name}`] ?? lock.packages[`${parent}/node_modules/${name}`]
      if (provided !== undefined || !/^\d/.test(version)) return []
      const words = name.split(/[/-]/).map((word) => aliases[word] ?? word)
      const os = words.filter((word) => systems.includes(word))
      const cpu = words.filter((word) => processors.includes(word))
      const entry = {
        version,
        ...(cpu.length === 0 ? {} : { cpu }),
        ...(words.includes("musl") ? { libc: ["musl"] } : {}),
        ...(dev === true ? { dev } : {}),
        optional: true,
        ...(os.length === 0 ? {} : { os }),
      }
      return [[`node_modules/${name}`, entry] as const]
    }),
  )
}

export function readLock(): Lock {
  const lock: Lock = JSON.parse(readFileSync(join(root, "package-lock.json"), "utf8"))
  return lock
}

if (import.meta.main) {
  const lock = readLock()
  const missing = missingEntries(lock)
  for (const [path] of missing) console.log(path)
  if (process.argv.includes("--check")) process.exitCode = missing.length > 0 ? 1 : 0
  else {
    const packages = Object.entries({ ...lock.packages, ...Object.fromEntries(missing) }).sort(([a], [b]) =>
      a < b ? -1 : 1,
    )
    const text = JSON.stringify({ ...lock, packages: Object.fromEntries(packages) }, null, 2)
    writeFileSync(join(root, "package-lock.json"), `${text}\n`)
  }
}
