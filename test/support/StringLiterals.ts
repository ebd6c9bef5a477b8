/** A string or template of a source: its text, in which `…` stands for what is filled in, and where it starts. */
export interface StringLiteral {
  readonly text: string
  readonly line: number
}

/**
 * The strings and templates of a TypeScript source, in its order, those within a template's substitutions before it.
 * Comments and regular expressions are passed over; a slash is taken as the start of one where no operand stands before.
 */
export const stringLiterals = (source: string): readonly StringLiteral[] => {
  const found: StringLiteral[] = []
  scan(source, 0, found)
  return found
}

const trivia = /\s+|\/\/[^\n]*|\/\*[\s\S]*?\*\//y
const quoted = /"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'/y
const pattern = /\/(?:[^/\\[\n]|\\.|\[(?:[^\]\\\n]|\\.)*\])+\/[a-z]*/y
const word = /[\w$]+/y

/** Words that end in no operand, so that a slash after them starts a regular expression. */
const beforeOperand = new Set(["return", "typeof", "case", "in", "of", "yield", "await", "throw"])

/** From `start` to the brace that closes a substitution, or to the end; returns the place behind. */
const scan = (source: string, start: number, found: StringLiteral[]): number => {
  let at = start
  let depth = 0
  let operand = false
  const take = (expression: RegExp): string | undefined => {
    expression.lastIndex = at
    const text = expression.exec(source)?.[0]
    if (text !== undefined) at += text.length
    return text
  }
  while (at < source.length) {
    if (take(trivia) !== undefined) continue
    const from = at
    const text = take(quoted)
    if (text !== undefined) {
      found.push({ text: text.slice(1, -1), line: lineOf(source, from) })
      operand = true
      continue
    }
    if (!operand && take(pattern) !== undefined) {
      operand = true
      continue
    }
    const name = take(word)
    if (name !== undefined) {
      operand = !beforeOperand.has(name)
      continue
    }
    const sign = source[at++]!
    if (sign === "`") at = template(source, at, found)
    if (sign === "{") depth++
    if (sign === "}" && depth-- === 0) return at
    operand = sign === ")" || sign === "]" || sign === "}" || sign === "`"
  }
  return at
}

/** A template from behind its first backtick; returns the place behind its last. */
const template = (source: string, start: number, found: StringLiteral[]): number => {
  let at = start
  let text = ""
  while (at < source.length && source[at] !== "`") {
    if (source[at] === "$" && source[at + 1] === "{") {
      at = scan(source, at + 2, found)
      text += "…"
    } else {
      const length = source[at] === "\\" ? 2 : 1
      text += source.slice(at, at + length)
      at += length
    }
  }
  found.push({ text, line: lineOf(source, start) })
  return at + 1
}

const lineOf = (source: string, at: number): number => source.slice(0, at).split("\n").length
