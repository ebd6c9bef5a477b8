import { constants } from "node:fs"
import { open } from "node:fs/promises"

/** A line of a file that is not blank, counted from 1; one over the limit has no text. */
export interface FileLine {
  readonly line: number
  readonly text: string | undefined
}

/** The lines of a UTF-8 file. No more than a line of `maxBytes` is held. */
export async function* jsonLinesOf(path: string, maxBytes: number): AsyncGenerator<FileLine> {
  const handle = await open(path, constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0))
  try {
    let parts: Uint8Array[] = []
    let length = 0
    let line = 1
    const take = (): FileLine | undefined => {
      const text = length > maxBytes ? undefined : decoder.decode(Buffer.concat(parts))
      parts = []
      length = 0
      return text !== undefined && text.trim() === "" ? undefined : { line, text }
    }
    const keep = (part: Uint8Array): void => {
      length += part.length
      if (length <= maxBytes) parts.push(part)
      else parts = []
    }
    for await (const chunk of handle.createReadStream({ autoClose: false, highWaterMark: 1 << 18 })) {
      if (!(chunk instanceof Uint8Array)) continue
      let start = 0
      for (let end = chunk.indexOf(newline); end >= 0; end = chunk.indexOf(newline, start)) {
        keep(chunk.subarray(start, end))
        const found = take()
        if (found !== undefined) yield found
        line++
        start = end + 1
      }
      keep(chunk.subarray(start))
    }
    const last = take()
    if (last !== undefined) yield last
  } finally {
    await handle.close()
  }
}

const newline = 10
const decoder = new TextDecoder()
