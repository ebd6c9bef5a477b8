import type { Paragraph } from "../Document.ts"

/** A line of a page; places and sizes in points, `y` upwards from the foot. */
export interface PdfLine {
  readonly text: string
  readonly x: number
  readonly y: number
  readonly size: number
}

/**
 * Lines of pages as paragraphs. One ends where the gap to the next line is wider than between lines, where the size of
 * the letters changes, and at a page's end where a sentence ends. Lines larger than most of the text are headings, page
 * numbers and lines that stand at the head or foot of most pages are left out, and words that were divided at a line's end
 * are whole again.
 */
export const pdfParagraphs = (pages: readonly (readonly PdfLine[])[]): readonly Paragraph[] => {
  const body = commonSize(pages)
  const kept = withoutRunning(pages, body)
  const gap = commonGap(kept)
  const paragraphs: { text: string; level?: number; open: boolean }[] = []
  for (const lines of kept) {
    for (const [index, line] of lines.entries()) {
      const level = levelOf(line, body)
      const before = lines[index - 1]
      const last = paragraphs.at(-1)
      const isSame = last !== undefined && last.level === level && goesOn(last, before, line, gap)
      if (isSame) last.text = joined(last.text, line.text)
      else paragraphs.push({ text: line.text, ...(level === undefined ? {} : { level }), open: true })
    }
  }
  return paragraphs.map(({ text, level }) => ({ text, ...(level === undefined ? {} : { level }) }))
}

const goesOn = (
  last: { readonly text: string; readonly level?: number },
  before: PdfLine | undefined,
  line: PdfLine,
  gap: number,
): boolean => {
  // The first line of a page goes on where the last one of the page before left a sentence open.
  if (before === undefined)
    return last.level === undefined && !/[.!?:;。！？]["')\]”’]*$/.test(last.text) && /^\p{Ll}/u.test(line.text)
  const down = before.y - line.y
  const near = down <= 1.35 * Math.max(gap, line.size) && down > -0.5 * line.size
  return (
    near && Math.abs(before.size - line.size) <= 0.15 * line.size && !/^(?:[•▪◦‣–-]|\(?\d{1,3}[.)])\s/.test(line.text)
  )
}

const joined = (text: string, next: string): string => {
  const divided = /\p{L}[-\u00ad]$/u.test(text) && /^\p{Ll}/u.test(next)
  if (divided) return text.slice(0, -1) + next
  const isWide = /[\p{sc=Han}\p{sc=Hiragana}\p{sc=Katakana}\u3000-\u303f\uff00-\uffef]$/u.test(text)
  return isWide ? text + next : `${text} ${next}`
}

const levelOf = ({ size, text }: PdfLine, body: number): number | undefined => {
  const ratio = size / body
  if (ratio < 1.15 || text.length > 200) return undefined
  return ratio >= 1.6 ? 1 : ratio >= 1.3 ? 2 : 3
}

/** The size of most letters. */
const commonSize = (pages: readonly (readonly PdfLine[])[]): number =>
  mostOften(
    pages.flatMap((lines) => lines.map(({ size, text }) => [Math.round(size * 2) / 2, text.length] as const)),
  ) ?? 1

/** The usual distance from line to line. */
const commonGap = (pages: readonly (readonly PdfLine[])[]): number =>
  mostOften(
    pages.flatMap((lines) =>
      lines.slice(1).flatMap(({ y }, index) => {
        const down = Math.round((lines[index]!.y - y) * 2) / 2
        return down > 0 ? [[down, 1] as const] : []
      }),
    ),
  ) ?? 0

const mostOften = (values: readonly (readonly [value: number, weight: number])[]): number | undefined => {
  const weights = new Map<number, number>()
  for (const [value, weight] of values) weights.set(value, (weights.get(value) ?? 0) + weight)
  let best: number | undefined
  for (const [value, weight] of weights) if (best === undefined || weight > weights.get(best)!) best = value
  return best
}

/** Pages without what stands at their heads or feet; a line of a heading's size is none of it. */
const withoutRunning = (pages: readonly (readonly PdfLine[])[], body: number): readonly (readonly PdfLine[])[] => {
  const seen = new Map<string, number>()
  const keyOf = (line: PdfLine | undefined): string | undefined =>
    line === undefined || levelOf(line, body) !== undefined ? undefined : line.text.replaceAll(/\d+/g, "#")
  for (const lines of pages) {
    for (const key of new Set([keyOf(lines[0]), keyOf(lines.at(-1))])) {
      if (key !== undefined) seen.set(key, (seen.get(key) ?? 0) + 1)
    }
  }
  const isRunning = (line: PdfLine | undefined): boolean => {
    const key = keyOf(line)
    if (key === undefined) return false
    return key === "#" ? pages.length > 1 : (seen.get(key) ?? 0) >= Math.max(3, pages.length / 2)
  }
  return pages.map((lines) => {
    const from = isRunning(lines[0]) ? 1 : 0
    return lines.slice(from, lines.length > from && isRunning(lines.at(-1)) ? -1 : undefined)
  })
}
