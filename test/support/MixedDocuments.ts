// A folder of documents of all kinds that are read.
import { mkdirSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { sentence } from "../../packages/datagen/test/support/Chunks.ts"
import { docxOf, epubOf, pdfOf } from "../../packages/documents/test/files/MakeFiles.ts"

/** Seven documents of all kinds, one that cannot be read and a line that is none; other ones for each number. */
export const mixedDocuments = (folder: string, number = 0): void => {
  const paragraphs = (kind: number) =>
    Array.from({ length: 6 }, (_, index) => {
      const first = (number * 10 + kind) * 40 + index * 3
      return `${sentence(first)} ${sentence(first + 1)}`
    })
  mkdirSync(join(folder, "below"), { recursive: true })
  const write = (name: string, content: string | Uint8Array) => writeFileSync(join(folder, name), content)
  write("plain.txt", paragraphs(1).join("\n\n"))
  write("below/notes.md", `# Notes\n\n${paragraphs(2).join("\n\n")}\n`)
  write(
    "page.html",
    `<html><body>${paragraphs(3)
      .map((text) => `<p>${text}</p>`)
      .join("")}</body></html>`,
  )
  write("letter.docx", docxOf(paragraphs(4).map((text) => [text] as const)))
  write(
    "book.epub",
    epubOf("A book", [
      paragraphs(5)
        .map((text) => `<p>${text}</p>`)
        .join(""),
    ]),
  )
  const row = (number: number) => JSON.stringify({ text: paragraphs(number).join("\n\n") })
  write("rows.jsonl", `${row(6)}\nno JSON at all\n${row(7)}\n`)
  write(
    "scan.pdf",
    pdfOf([
      paragraphs(8)
        .slice(0, 3)
        .map((text, index) => ({ text, y: 700 - 20 * index, size: 12 })),
    ]),
  )
  write("broken.pdf", "%PDF-1.7 and nothing more")
}
