import { basename } from "node:path"
import { build } from "esbuild"

/** A program of a target: its source, which imports by the packages' names, or a module; and what it runs on. */
export interface Program {
  readonly source: string | { readonly file: string }
  readonly platform: "node" | "browser"
  /** Statements that run before all modules. */
  readonly before?: string
  /** What is not put into the bundle. */
  readonly external?: readonly string[]
}

/** Writes a program and all that it imports as one file. */
export const bundle = async (
  file: string,
  { source, platform, before = "", external = [] }: Program,
): Promise<void> => {
  await build({
    ...(typeof source === "string"
      ? { stdin: { contents: source, resolveDir: import.meta.dirname, sourcefile: basename(file), loader: "js" } }
      : { entryPoints: [source.file] }),
    outfile: file,
    bundle: true,
    format: "esm",
    platform,
    target: "es2024",
    minify: true,
    legalComments: "none",
    logLevel: "silent",
    external: [...external],
    banner: { js: `${platform === "node" ? required : ""}${before}` },
    absWorkingDir: import.meta.dirname,
  })
}

/** Libraries for Node and browsers look for what is Node's by `require`. */
const required = 'import { createRequire as _require } from "node:module"; const require = _require(import.meta.url);'
