/**
 * A paragraph whose lines were broken at a width with a space in place of those breaks, so that its sentences are whole; it
 * keeps its length. Lines of 60 characters and more are broken at a width, where the next one is no item of a list.
 */
export const unwrapLines = (paragraph: string): string => {
  let at = paragraph.indexOf("\n")
  if (at < 0) return paragraph
  let unwrapped = ""
  let start = 0
  let line = 0
  for (; at >= 0; at = paragraph.indexOf("\n", at + 1)) {
    if (at - line >= widest && goesOn.test(paragraph[at + 1] ?? "")) {
      unwrapped += `${paragraph.slice(start, at)} `
      start = at + 1
    }
    line = at + 1
  }
  return unwrapped + paragraph.slice(start)
}

const widest = 60
const goesOn = /[^\s\-*+|>#]/
