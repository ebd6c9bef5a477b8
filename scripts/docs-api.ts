// `npm run docs:api`: the API reference as Markdown in dist/api, out of exported symbols and their doc comments (TypeDoc).
// A link in a comment that leads nowhere, and a documented parameter that there is not, are failures.
// TypeDoc needs a TypeScript whose compiler programs can call, so it lies apart in scripts/api and is installed at first use.
import { spawnSync } from "node:child_process"
import { existsSync, readFileSync, rmSync } from "node:fs"
import { join } from "node:path"
import { listFiles, listWorkspaces, root } from "./support/Workspace.ts"

const folder = join(root, "scripts/api")

/** What users import: each package's main module, and those for one platform or for tests, which it does not load. */
export const apiModules = (): readonly string[] =>
  listFiles(
    listWorkspaces()
      .filter(({ manifest }) => manifest.exports !== undefined)
      .flatMap(({ path }) => ["index", "testing", "node/*", "web/*"].map((name) => `${path}/src/${name}.ts`)),
  ).filter((file) => /^export /m.test(readFileSync(join(root, file), "utf8")))

/** Writes the reference into a folder; false where TypeDoc has warnings or errors, which it has printed. */
export const writeApi = (out: string): boolean => {
  if (!existsSync(join(folder, "node_modules/typedoc")))
    run("npm", ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"])
  rmSync(out, { recursive: true, force: true })
  return run(process.execPath, [
    "node_modules/typedoc/bin/typedoc",
    ...apiModules().map((file) => join(root, file)),
    ...["--tsconfig", "tsconfig.json", "--basePath", root, "--out", out, "--name", "Tandem's packages"],
    ...["--plugin", "typedoc-plugin-markdown", "--plugin", "./module-names.mjs", "--readme", "none"],
    // Types are checked by `npm run typecheck`; what errors inherit from Effect is documented there.
    ...["--skipErrorChecking", "--excludeExternals", "--disableSources"],
    ...["--outputFileStrategy", "modules", "--hidePageHeader", "--treatWarningsAsErrors"],
  ])
}

const run = (command: string, args: readonly string[]): boolean =>
  spawnSync(command, args, { cwd: folder, stdio: ["ignore", 2, 2], shell: process.platform === "win32" }).status === 0

if (import.meta.main) {
  const out = join(root, "dist/api")
  if (writeApi(out)) console.log(join(out, "README.md"))
  else process.exitCode = 1
}
