/** A reply without what a reasoning model wrote of its thoughts, and these. */
export interface Spoken {
  readonly text: string
  readonly thoughts?: string
}

const json = /^\s*(?:```\w*\s*)?\{/
const opening = /<(?:think|thinking|thought|reasoning)>/i
const closing = /<\/(?:think|thinking|thought|reasoning)>/gi

/**
 * Takes thoughts off: all up to the last closing tag, whose opening one a chat template may have written itself; where a
 * thought never ends, all from its opening tag on. Tags within a JSON object that the reply begins with are of its texts.
 */
export const withoutThoughts = (reply: string): Spoken => {
  const begin = opening.exec(reply)
  if (begin !== null && json.test(reply.slice(0, begin.index))) return { text: reply.trim() }
  const last = [...reply.matchAll(closing)].at(-1)
  if (last !== undefined) {
    const thoughts = reply.slice(0, last.index).replace(opening, "").trim()
    return { text: reply.slice(last.index + last[0].length).trim(), ...(thoughts === "" ? {} : { thoughts }) }
  }
  if (begin === null) return { text: reply.trim() }
  return {
    text: reply.slice(0, begin.index).trim(),
    thoughts: reply.slice(begin.index + begin[0].length).trim(),
  }
}

/**
 * The JSON objects that stand in a text, in their order, none within another: whatever is written around them, in code fences
 * or not. One pass over the text finds them, and each is parsed once.
 */
export const jsonObjectsIn = (text: string): readonly unknown[] => {
  const found: unknown[] = []
  const open: number[] = []
  const closed: { readonly start: number; readonly end: number }[] = []
  let quoted = false
  for (let at = 0; at < text.length; at++) {
    const character = text[at]
    if (quoted) {
      if (character === "\\") at += 1
      else if (character === '"') quoted = false
    } else if (character === '"' && open.length > 0) quoted = true
    else if (character === "{") open.push(at)
    else if (character === "}") {
      const start = open.pop()
      if (start === undefined) continue
      while (closed.length > 0 && closed.at(-1)!.start > start) closed.pop()
      closed.push({ start, end: at + 1 })
    }
  }
  for (const { start, end } of closed) {
    try {
      found.push(JSON.parse(text.slice(start, end)))
    } catch {
      // What only looks like an object is none.
    }
  }
  return found
}
