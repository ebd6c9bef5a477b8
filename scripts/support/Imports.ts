// Finds what a module imports, by the shape of its statements.

export interface Import {
  readonly specifier: string
  /** Line of the specifier, from 1. */
  readonly line: number
  /** Erased when the module runs. */
  readonly typeOnly: boolean
}

const clause = String.raw`(?:[\w$*{][\w\s$,*{}]*?\s*from\s*)?`
const statement = new RegExp(String.raw`^[ \t]*(?:import|export)\s+(type\s+)?${clause}(["'])([^"'\n]+)\2`, "gm")
const call = /^(?!\s*(?:\*|\/\/)).*?\bimport(?:\.meta\.resolve)?\(\s*(["'])([^"'\n]+)\1/gm

/**
 * Static and dynamic imports with a literal specifier, in the order of their lines. Statements start a line, as the
 * formatter writes them; lines of a doc comment start with `*` and are passed over.
 */
export function readImports(source: string): ReadonlyArray<Import> {
  const found: Array<Import> = []
  for (const match of source.matchAll(statement))
    found.push({ specifier: match[3]!, line: lineOf(source, match), typeOnly: match[1] !== undefined })
  for (const match of source.matchAll(call))
    found.push({ specifier: match[2]!, line: lineOf(source, match), typeOnly: false })
  return found.sort((a, b) => a.line - b.line)
}

/** The line on which a match ends, which is where its specifier stands. */
const lineOf = (source: string, match: RegExpExecArray) =>
  source.slice(0, match.index + match[0].length).split("\n").length
