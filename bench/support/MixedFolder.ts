// A folder of documents of several formats, made by a seed.
import { mkdirSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { Random } from "@tandem/random"
import { docxOf, pdfOf } from "../../packages/documents/test/files/MakeFiles.ts"

/** Of each hundred documents. */
export const mix = { txt: 40, md: 25, html: 20, docx: 10, pdf: 5 } as const
type Kind = keyof typeof mix

export interface MixedFolder {
  readonly documents: number
  /** UTF-16 units of paragraphs in each. */
  readonly length: number
  readonly seed: number
}

/** Writes documents of paragraphs that are drawn, without one twice in a document; how many characters they have in all. */
export const writeMixed = (
  folder: string,
  paragraphs: readonly string[],
  { documents, length, seed }: MixedFolder,
): number => {
  mkdirSync(folder, { recursive: true })
  const random = Random.fromSeed(seed)
  const kinds = Object.entries(mix).flatMap(([kind, share]) => Array.from({ length: share }, () => kind))
  let characters = 0
  for (let index = 0; index < documents; index++) {
    const kind = kinds[(index * 37) % kinds.length] ?? "txt"
    const texts: string[] = []
    for (let written = 0; written < length; ) {
      const text = random.choice(paragraphs)
      if (texts.includes(text) || (kind === "pdf" && !plain.test(text))) continue
      texts.push(text)
      written += text.length
    }
    characters += texts.reduce((sum, text) => sum + text.length, 0)
    writeFileSync(join(folder, `${String(index).padStart(4, "0")}.${kind}`), written(kind, texts))
  }
  return characters
}

/** What the font of a made PDF has. */
const plain = /^[\n -~]*$/

/** Paragraphs under one heading. */
const together = 5

const written = (kind: string, texts: readonly string[]): string | Uint8Array => {
  const format = formats.get(kind)
  if (format === undefined) throw new Error(`nothing writes ${kind}`)
  return format(texts)
}

const headed = (texts: readonly string[], heading: (title: string) => string, paragraph: (text: string) => string) =>
  texts.flatMap((text, index) => [
    ...(index % together === 0 ? [heading(`Part ${index / together + 1}`)] : []),
    paragraph(text),
  ])

const escaped = (text: string): string =>
  text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;")

const formats: ReadonlyMap<string, (texts: readonly string[]) => string | Uint8Array> = new Map<
  Kind,
  (texts: readonly string[]) => string | Uint8Array
>([
  ["txt", (texts) => texts.join("\n\n")],
  [
    "md",
    (texts) =>
      headed(
        texts,
        (title) => `## ${title}`,
        (text) => text,
      ).join("\n\n"),
  ],
  [
    "html",
    (texts) => {
      const body = headed(
        texts,
        (title) => `<h2>${title}</h2>`,
        (text) => `<p>${escaped(text)}</p>`,
      )
      return `<!doctype html><html><head><title>Notes</title></head><body>${body.join("\n")}</body></html>`
    },
  ],
  ["docx", (texts) => docxOf(texts.map((text) => [escaped(text)] as const))],
  ["pdf", (texts) => pdfOf(pagesOf(texts))],
])

const columns = 95
const linesOfPage = 44

/** Lines of a page from its top; between paragraphs there is a line's room. */
const pagesOf = (texts: readonly string[]) => {
  const lines = texts.flatMap((text) => ["", ...linesOf(text)])
  const pages: { text: string; y: number; size: number }[][] = []
  for (const [index, line] of lines.entries()) {
    if (index % linesOfPage === 0) pages.push([])
    if (line === "") continue
    const text = line.replaceAll(/[\\()]/g, "\\$&")
    pages.at(-1)?.push({ text, y: 750 - 16 * (index % linesOfPage), size: 11 })
  }
  return pages
}

const linesOf = (text: string): readonly string[] => {
  const lines: string[] = []
  for (const word of text.split(/\s+/)) {
    const last = lines.at(-1)
    if (last === undefined || last.length + word.length >= columns) lines.push(word)
    else lines[lines.length - 1] = `${last} ${word}`
  }
  return lines
}
