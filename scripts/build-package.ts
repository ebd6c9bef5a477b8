// Builds the package in the current folder for publishing: ESM and declarations in dist/, with a package.json whose
// exports point at them, README and LICENSE. Packages that it depends on must be built first; `npm run build` sees to it.
// Usage, in a package's folder: node ../../scripts/build-package.ts
import { chmodSync, copyFileSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { dirname, join, relative } from "node:path"
import { installedProgram, runCommand } from "./support/Command.ts"
import { listFiles, listWorkspaces, type Manifest, readManifest, root } from "./support/Workspace.ts"

/** Builds one package; `path` is relative to the root. Throws with the compiler's output where that finds errors. */
export async function buildPackage(path: string): Promise<void> {
  const dist = join(root, path, "dist")
  rmSync(dist, { recursive: true, force: true })
  mkdirSync(dist, { recursive: true })
  await compile(path)
  copyAssets(path)
  for (const file of listFiles(["**/*.js", "**/*.d.ts"], dist)) rewriteExtensions(join(dist, file))
  writeFileSync(join(dist, "package.json"), `${JSON.stringify(publishedManifest(path), null, 2)}\n`)
  copyFileSync(join(root, "LICENSE"), join(dist, "LICENSE"))
  const readme = join(root, path, "README.md")
  if (existsSync(readme)) copyFileSync(readme, join(dist, "README.md"))
  for (const program of Object.values(readManifest(dist).bin ?? {})) makeExecutable(join(dist, program))
}

/** Runs the compiler with the other packages' built declarations in place of their sources. */
async function compile(path: string): Promise<void> {
  const folder = join(root, ".cache", "build")
  const config = join(folder, `${path.replaceAll("/", "-")}.json`)
  const paths = Object.fromEntries(
    listWorkspaces().flatMap((other) =>
      other.path === path
        ? []
        : [
            [other.name, [join(root, other.path, "dist/index.d.ts")]],
            [`${other.name}/*`, [join(root, other.path, "dist/*.d.ts")]],
          ],
    ),
  )
  mkdirSync(folder, { recursive: true })
  writeFileSync(
    config,
    JSON.stringify({
      extends: relative(folder, join(root, "tsconfig.base.json")),
      compilerOptions: {
        types: ["node"],
        lib: ["es2024", "dom"],
        rootDir: join(root, path, "src"),
        outDir: join(root, path, "dist"),
        inlineSources: true,
        noEmitOnError: true,
        paths,
      },
      include: [join(root, path, "src")],
    }),
  )
  const { status, output } = await runCommand(installedProgram("tsc"), ["-p", config, "--pretty", "false"])
  if (status !== 0) throw new Error(output)
}

/** Copies what the compiler leaves out: generated JavaScript with its declarations, data files. */
function copyAssets(path: string): void {
  const source = join(root, path, "src")
  for (const file of listFiles(["**/*.*"], source)) {
    if (/\.ts$/.test(file) && !/\.d\.ts$/.test(file)) continue
    mkdirSync(dirname(join(root, path, "dist", file)), { recursive: true })
    copyFileSync(join(source, file), join(root, path, "dist", file))
  }
}

/**
 * The compiler rewrites `.ts` in imports of JavaScript files. Two kinds of references are left: `new URL("./x.ts",
 * import.meta.url)`, which starts workers, and the relative imports of declarations.
 */
function rewriteExtensions(file: string): void {
  const text = readFileSync(file, "utf8")
  const rewritten = file.endsWith(".d.ts")
    ? text.replaceAll(/(from\s+|import\s*\(?\s*)(["'])(\.{1,2}\/[^"'\n]+?)(?<!\.d)\.ts\2/g, "$1$2$3.js$2")
    : text.replaceAll(/(new URL\(\s*)(["'])(\.{1,2}\/[^"'\n]+?)\.ts\2(\s*,\s*import\.meta\.url)/g, "$1$2$3.js$2$4")
  if (rewritten !== text) writeFileSync(file, rewritten)
}

/** The source manifest without what only the monorepo uses, its exports pointing at the built files. */
function publishedManifest(path: string): Record<string, unknown> {
  const manifest: Manifest & Record<string, unknown> = JSON.parse(
    readFileSync(join(root, path, "package.json"), "utf8"),
  )
  const { scripts: _scripts, devDependencies: _dev, publishConfig: _publish, exports, bin, ...kept } = manifest
  const built = (target: string, extension: string) => target.replace("./src/", "./").replace(/\.ts$/, extension)
  return {
    ...kept,
    engines: { node: ">=22.19" },
    exports: Object.fromEntries(
      Object.entries(exports ?? {}).map(([key, target]) => [
        key,
        target === null ? null : { types: built(target, ".d.ts"), default: built(target, ".js") },
      ]),
    ),
    ...(bin === undefined
      ? {}
      : { bin: Object.fromEntries(Object.entries(bin).map(([name, target]) => [name, built(target, ".js")])) }),
  }
}

function makeExecutable(file: string): void {
  const text = readFileSync(file, "utf8")
  if (!text.startsWith("#!")) writeFileSync(file, `#!/usr/bin/env node\n${text}`)
  chmodSync(file, 0o755)
}

if (import.meta.main) {
  try {
    await buildPackage(relative(root, process.cwd()).replaceAll("\\", "/"))
  } catch (error) {
    console.error(error instanceof Error ? error.message : error)
    process.exitCode = 1
  }
}
