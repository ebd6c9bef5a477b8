import { contentHash } from "@tandem/datasets"

/** A heading of a document, a paragraph of its own in the text. */
export interface Heading {
  /** 1 for the highest. */
  readonly level: number
  /** Where it starts in the document's text, in UTF-16 units. */
  readonly start: number
  readonly text: string
}

/** What a reader made of a file, or of a line of one. */
export interface Document {
  /** The path relative to the folder that was read, with forward slashes; `file.jsonl#12` is line 12 of that file. */
  readonly source: string
  readonly title?: string
  /** Paragraphs, separated by blank lines. */
  readonly text: string
  /** In the order in which they stand; none where the format has no headings. */
  readonly headings: readonly Heading[]
  /** Of title and text: equal documents have equal hashes, on every runtime. */
  readonly hash: string
}

/** A paragraph as a reader finds it; `level` makes it a heading. */
export interface Paragraph {
  readonly text: string
  readonly level?: number
}

/** A document of paragraphs; empty ones are left out, and line ends are `\n`. */
export const makeDocument = (source: string, paragraphs: Iterable<Paragraph>, title?: string): Document => {
  const texts: string[] = []
  const headings: Heading[] = []
  let start = 0
  for (const paragraph of paragraphs) {
    const text = tidy(paragraph.text)
    if (text === "") continue
    if (paragraph.level !== undefined) headings.push({ level: paragraph.level, start, text })
    texts.push(text)
    start += text.length + gap.length
  }
  const text = texts.join(gap)
  const named = title === undefined ? "" : tidy(title).replaceAll(/\s+/g, " ")
  return {
    source,
    ...(named === "" ? {} : { title: named }),
    text,
    headings,
    hash: contentHash(`${named}\u0000${text}`),
  }
}

/** The paragraphs of a plain text: what blank lines separate. */
export const paragraphsOf = (text: string): readonly Paragraph[] =>
  withPlainEnds(text)
    .split(/\n(?:[^\S\n]*\n)+/)
    .map((paragraph) => ({ text: paragraph }))

const gap = "\n\n"

const withPlainEnds = (text: string): string => text.replaceAll(/\r\n?|\u2028|\u2029/g, "\n")

/** Without spaces at the ends of lines, empty lines at both ends, and characters that stand for nothing. */
const tidy = (text: string): string =>
  withPlainEnds(text)
    .replaceAll("\0", "")
    .replaceAll("\ufeff", "")
    .split("\n")
    .map((line) => line.trimEnd())
    .join("\n")
    .replaceAll(/\n{2,}/g, gap)
    .replace(/^\n+/, "")
    .trimEnd()
