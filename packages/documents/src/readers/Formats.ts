import { readPlainText } from "./PlainText.ts"
import type { Reader } from "./Reader.ts"

/** Formats of documents; in `jsonl` each line is one. */
export type Format = "text" | "markdown" | "html" | "pdf" | "docx" | "epub" | "jsonl"

/** Formats by the end of a file's name, in lower case. */
export const formatsByExtension: Readonly<Record<string, Format>> = {
  txt: "text",
  text: "text",
  md: "markdown",
  mdx: "markdown",
  markdown: "markdown",
  html: "html",
  htm: "html",
  xhtml: "html",
  pdf: "pdf",
  docx: "docx",
  epub: "epub",
  jsonl: "jsonl",
  ndjson: "jsonl",
}

/** The format that a file's name tells, undefined for one that no reader is for. */
export const formatOf = (name: string): Format | undefined => {
  const extension = /\.([^./\\]+)$/.exec(name)?.[1]?.toLowerCase()
  return extension !== undefined && Object.hasOwn(formatsByExtension, extension)
    ? formatsByExtension[extension]
    : undefined
}

/** The reader of a format, loaded when it is first asked for. */
export const readers: Readonly<Record<Exclude<Format, "jsonl">, () => Promise<Reader>>> = {
  text: async () => readPlainText,
  markdown: async () => (await import("./Markdown.ts")).readMarkdown,
  html: async () => (await import("./Html.ts")).readHtml,
  pdf: async () => (await import("./Pdf.ts")).readPdf,
  docx: async () => (await import("./Docx.ts")).readDocx,
  epub: async () => (await import("./Epub.ts")).readEpub,
}

/** The package that reads a format and is installed for that alone. */
export const packagesOfFormats: Partial<Readonly<Record<Format, string>>> = { pdf: "unpdf", docx: "mammoth" }
