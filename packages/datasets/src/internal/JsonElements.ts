import { InvalidJsonError } from "../Errors.ts"
import type { Source, TableRow } from "../Source.ts"
import { parseJson, truncated } from "./JsonText.ts"

/** An element longer than this means that the file is no list of rows. */
const longestElement = 64 * 1024 * 1024

/**
 * The elements of the array that the source is, one after the other: only the element at hand is held in memory.
 *
 * A scanner follows strings and brackets just far enough to know where an element ends; `JSON.parse` reads the element.
 * Throws `InvalidJsonError` and `TruncatedJsonError`.
 */
export async function* jsonElements(source: Source): AsyncGenerator<TableRow> {
  let phase: "before" | "between" | "inside" = "before"
  let closed = false
  let depth = 0
  let inString = false
  let escaped = false
  let line = 1
  let startLine = 1
  let parts = ""
  let comma = false

  const fail = (expected: string, found: string) =>
    new InvalidJsonError({
      message: `${source.file}:${line} is not valid JSON: expected ${expected}, found ${found}`,
      file: source.file,
      line,
      expected,
      found,
    })
  const element = (text: string): TableRow => {
    parts = ""
    return { value: parseJson(text, { file: source.file, line: startLine }, false), line: startLine }
  }

  for await (const chunk of source.chunks) {
    let start = 0
    for (let index = 0; index < chunk.length; index++) {
      const unit = chunk.charCodeAt(index)
      if (unit === 10) line++
      if (phase === "inside") {
        if (inString) {
          if (escaped) escaped = false
          else if (unit === 92) escaped = true
          else if (unit === 34) inString = false
        } else if (unit === 34) inString = true
        else if (unit === 123 || unit === 91) depth++
        else if (depth > 0 && (unit === 125 || unit === 93)) {
          depth--
          if (depth === 0) {
            yield element(parts + chunk.slice(start, index + 1))
            phase = "between"
            comma = false
          }
        } else if (depth === 0 && (unit === 44 || unit === 93)) {
          yield element(parts + chunk.slice(start, index))
          phase = "between"
          closed = unit === 93
          comma = !closed
        }
        continue
      }
      if (unit === 32 || (unit >= 9 && unit <= 13)) continue
      if (closed) throw fail("the end of the file", chunk[index]!)
      if (phase === "before") {
        if (unit !== 91) throw fail("[", chunk[index]!)
        phase = "between"
        comma = true
      } else if (unit === 93) {
        closed = true
      } else if (unit === 44) {
        if (comma) throw fail("a value", ",")
        comma = true
      } else {
        if (!comma) throw fail(", or ]", chunk[index]!)
        phase = "inside"
        start = index
        startLine = line
        inString = unit === 34
        depth = unit === 123 || unit === 91 ? 1 : 0
      }
    }
    if (phase === "inside") {
      parts += chunk.slice(start)
      if (parts.length > longestElement) throw fail("rows", "a single value of more than 64 MiB")
    }
  }
  if (!closed) throw truncated({ file: source.file, line: phase === "inside" ? startLine : line })
}
