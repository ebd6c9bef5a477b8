import { paragraphsOf } from "../Document.ts"
import { type Extracted, Unreadable } from "./Reader.ts"

/** A line of JSON Lines: an object with the document as `text`, and where it has one its `title`. */
export const readJsonLine = (line: string): Extracted => {
  const { text, title } = objectOf(line)
  if (typeof text !== "string") throw new Unreadable("bad-line", "has no `text` that is a string")
  return { paragraphs: paragraphsOf(text), ...(typeof title === "string" ? { title } : {}) }
}

const objectOf = (line: string): { readonly text?: unknown; readonly title?: unknown } => {
  let value: unknown
  try {
    value = JSON.parse(line)
  } catch {
    throw new Unreadable("bad-line", "is not JSON")
  }
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value
  throw new Unreadable("bad-line", "is no JSON object")
}
