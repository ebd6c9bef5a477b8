// Finds the TypeScript examples of the documentation.
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { listFiles, root } from "./Workspace.ts"

export interface Example {
  /** The file that holds it, relative to the root. */
  readonly file: string
  /** The line of its first code line, from 1. */
  readonly line: number
  readonly code: string
}

/** Every ```ts block of the READMEs, of docs/ and of the doc comments in the packages' and apps' sources. */
export function listExamples(base: string = root): ReadonlyArray<Example> {
  const pages = listFiles(["README.md", "docs/**/*.md", "packages/*/README.md", "apps/*/README.md"], base)
  const sources = listFiles(["packages/*/src/**/*.ts", "apps/*/src/**/*.ts"], base)
  return [
    ...pages.flatMap((file) => readExamples(file, readFileSync(join(base, file), "utf8"))),
    ...sources.flatMap((file) => readExamples(file, commentsOnly(readFileSync(join(base, file), "utf8")))),
  ]
}

/** The ```ts blocks of one text; indentation of the fence is taken off the code. */
export function readExamples(file: string, text: string): ReadonlyArray<Example> {
  const examples: Array<Example> = []
  let code: Array<string> | undefined
  let indent = ""
  for (const [index, line] of text.split("\n").entries()) {
    if (code === undefined) {
      const fence = /^(\s*)```(?:ts|typescript)\s*$/.exec(line)
      if (fence === null) continue
      indent = fence[1]!
      code = []
    } else if (line.trim() === "```") {
      examples.push({ file, line: index + 1 - code.length, code: `${code.join("\n")}\n` })
      code = undefined
    } else code.push(line.startsWith(indent) ? line.slice(indent.length) : line.trimStart())
  }
  return examples
}

/** Doc comments without their leading asterisks; every other line becomes empty, so that line numbers stay. */
function commentsOnly(source: string): string {
  let inside = false
  return source
    .split("\n")
    .map((line) => {
      if (/^\s*\/\*\*/.test(line)) inside = true
      const text = inside ? line.replace(/^\s*(?:\/\*\*|\*(?!\/)) ?/, "") : ""
      if (line.includes("*/")) inside = false
      return text
    })
    .join("\n")
}
