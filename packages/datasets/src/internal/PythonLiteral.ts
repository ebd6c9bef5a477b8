/**
 * The strings of a Python list literal such as `['a', "b's", 'c']`, without evaluating anything. Escapes of Python
 * strings are understood; anything but strings in a list or tuple gives `undefined`.
 */
export const parsePythonStrings = (literal: string): readonly string[] | undefined => {
  const text = literal.trim()
  const open = text[0]
  if (!((open === "[" && text.endsWith("]")) || (open === "(" && text.endsWith(")")))) return undefined
  const strings: string[] = []
  let index = 1
  const end = text.length - 1
  const skip = () => {
    while (index < end && /\s/.test(text[index]!)) index++
  }
  skip()
  while (index < end) {
    let joined = ""
    let pieces = 0
    for (skip(); index < end && /^(?:[uUrRbB]{0,2})['"]/.test(text.slice(index, index + 3)); skip()) {
      const raw = /^[uUbB]?[rR]/.test(text.slice(index, index + 2))
      while (text[index] !== "'" && text[index] !== '"') index++
      const piece = readString(text, index, raw)
      if (piece === undefined || piece.end > end) return undefined
      joined += piece.value
      index = piece.end
      pieces++
    }
    if (pieces === 0) return undefined
    strings.push(joined)
    if (index < end) {
      if (text[index] !== ",") return undefined
      index++
      skip()
    }
  }
  return strings
}

const simpleEscapes: Readonly<Record<string, string>> = {
  "\\": "\\",
  "'": "'",
  '"': '"',
  a: "\u0007",
  b: "\b",
  f: "\f",
  n: "\n",
  r: "\r",
  t: "\t",
  v: "\v",
  "\n": "",
}

const codeLengths: Readonly<Record<string, number>> = { x: 2, u: 4, U: 8 }

/** Reads the string whose opening quote stands at `start`; `end` is behind the closing quote. */
const readString = (text: string, start: number, raw: boolean): { value: string; end: number } | undefined => {
  const quote = text[start]!
  let value = ""
  for (let index = start + 1; index < text.length; index++) {
    const unit = text[index]!
    if (unit === quote) return { value, end: index + 1 }
    const next = text[index + 1]
    if (unit !== "\\" || next === undefined) {
      value += unit
      continue
    }
    index++
    const simple = simpleEscapes[next]
    const length = codeLengths[next]
    const digits = length === undefined ? "" : text.slice(index + 1, index + 1 + length)
    const octal = /^[0-7]{1,3}/.exec(text.slice(index, index + 3))?.[0]
    if (raw) value += unit + next
    else if (simple !== undefined) value += simple
    else if (octal !== undefined) {
      value += String.fromCodePoint(Number.parseInt(octal, 8))
      index += octal.length - 1
    } else if (length !== undefined && digits.length === length && /^[0-9a-fA-F]+$/.test(digits)) {
      const code = Number.parseInt(digits, 16)
      if (code > 0x10ffff) return undefined
      value += String.fromCodePoint(code)
      index += length
    } else value += unit + next
  }
  return undefined
}
