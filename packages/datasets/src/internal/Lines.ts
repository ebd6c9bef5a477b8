import type { Source } from "../Source.ts"

/** A line without its line break, counted from 1. */
export interface Line {
  readonly text: string
  readonly line: number
  readonly last: boolean
}

/** Lines of a source, those of one chunk together. `last` marks the one that no line break ends. */
export async function* lineBatches(source: Source): AsyncGenerator<readonly Line[]> {
  let rest = ""
  let line = 1
  for await (const chunk of source.chunks) {
    const batch: Line[] = []
    let start = 0
    for (let end = chunk.indexOf("\n"); end >= 0; end = chunk.indexOf("\n", start)) {
      const text = rest + chunk.slice(start, end)
      batch.push({ text: text.endsWith("\r") ? text.slice(0, -1) : text, line: line++, last: false })
      rest = ""
      start = end + 1
    }
    rest += chunk.slice(start)
    yield batch
  }
  if (rest !== "") yield [{ text: rest, line, last: true }]
}
