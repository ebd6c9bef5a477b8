import { Inflate } from "fflate"
import { type PdfLine, pdfParagraphs } from "../internal/PdfLayout.ts"
import { type Reader, type ReadLimits, Unreadable } from "./Reader.ts"

/** PDF: paragraphs and headings by how lines are set. Text alone is read; a scanned page has none. */
export const readPdf: Reader = async (bytes, limits) => {
  if (!startsAsPdf(bytes)) throw new Unreadable("damaged", "does not start as a PDF")
  checkStreams(bytes, limits)
  const { getDocumentProxy } = await import("unpdf")
  // The library takes the bytes for its own.
  const document = await getDocumentProxy(new Uint8Array(bytes), {
    verbosity: 0,
    stopAtErrors: false,
  }).catch((cause: unknown) => {
    throw cause instanceof Error && cause.name === "PasswordException"
      ? new Unreadable("password-protected", "asks for a password", "save it without a password")
      : cause
  })
  try {
    const pages: PdfLine[][] = []
    for (let number = 1; number <= document.numPages; number++) {
      const page = await document.getPage(number)
      const { items } = await page.getTextContent()
      pages.push(linesOf(items))
      page.cleanup()
    }
    const { info } = await document.getMetadata()
    const title = "Title" in info && typeof info.Title === "string" ? info.Title : undefined
    return { paragraphs: pdfParagraphs(pages), ...(title === undefined ? {} : { title }) }
  } finally {
    await document.loadingTask.destroy()
  }
}

interface TextItem {
  readonly str: string
  readonly transform: readonly number[]
  readonly width: number
  readonly height: number
  readonly hasEOL: boolean
}

/** Items of a page joined to lines; spaces come where the library put them, or where a gap is wide. */
const linesOf = (items: readonly object[]): PdfLine[] => {
  const lines: PdfLine[] = []
  let line: { text: string; x: number; y: number; size: number; end: number } | undefined
  const finish = (): void => {
    if (line !== undefined && line.text.trim() !== "") lines.push({ ...line, text: line.text.trim() })
    line = undefined
  }
  for (const item of items) {
    if (!isText(item)) continue
    const [, , skew = 0, rise = 0, x = 0, y = 0] = item.transform
    const size = item.height > 0 ? item.height : Math.hypot(skew, rise)
    if (line !== undefined && item.str !== "" && Math.abs(line.y - y) > 0.6 * Math.max(line.size, size)) finish()
    if (item.str !== "") {
      if (line === undefined) line = { text: "", x, y, size, end: x }
      else if (x - line.end > 0.25 * size && !/\s$/.test(line.text) && !/^\s/.test(item.str)) line.text += " "
      line.text += item.str
      line.end = x + item.width
      if (item.str.trim() !== "") line.size = Math.max(line.size, size)
    }
    if (item.hasEOL) finish()
  }
  finish()
  return lines
}

const isText = (item: object): item is TextItem =>
  "str" in item && typeof item.str === "string" && "transform" in item && Array.isArray(item.transform)

/** A header may stand behind a few other bytes. */
const startsAsPdf = (bytes: Uint8Array): boolean =>
  new TextDecoder("latin1").decode(bytes.subarray(0, 1024)).includes("%PDF-")

/**
 * Unpacks what the file packs, in small pieces and for its size alone, since the library sets no bound. Pictures, which it
 * does not unpack for their text, are left out.
 */
const checkStreams = (bytes: Uint8Array, { maxUnpackedBytes }: ReadLimits): void => {
  let total = 0
  let end = 0
  for (let at = indexOf(bytes, "stream", 0); at >= 0; at = indexOf(bytes, "stream", at + 6)) {
    if (bytes[at + 6] !== 13 && bytes[at + 6] !== 10) continue
    const start = at + (bytes[at + 6] === 13 && bytes[at + 7] === 10 ? 8 : 7)
    const dictionary = new TextDecoder("latin1").decode(bytes.subarray(Math.max(0, at - 400), at))
    const own = dictionary.slice(dictionary.lastIndexOf(" obj") + 1)
    const isZlib = (bytes[start]! & 15) === 8 && ((bytes[start]! << 8) | bytes[start + 1]!) % 31 === 0
    if (!isZlib || /\/Subtype\s*\/Image/.test(own)) continue
    // An end that lies ahead, or that there is none, holds for the next stream, too.
    if (end < start) end = indexOf(bytes, "endstream", start)
    if (end < 0) end = bytes.length
    total += unpackedSize(bytes.subarray(start + 2, end), maxUnpackedBytes - total)
    if (total > maxUnpackedBytes) {
      throw new Unreadable("too-large", `unpacks to more than the ${maxUnpackedBytes} bytes that are allowed`)
    }
  }
}

/** Bytes that deflated data unpack to, counted until they are more than `enough`. */
const unpackedSize = (packed: Uint8Array, enough: number): number => {
  let size = 0
  const inflate = new Inflate((piece) => {
    size += piece.length
  })
  try {
    for (let at = 0; at < packed.length && size <= enough; at += 4096)
      inflate.push(packed.subarray(at, at + 4096), at + 4096 >= packed.length)
  } catch {
    // Cut off or damaged: what came before counts.
  }
  return size
}

const indexOf = (bytes: Uint8Array, text: string, from: number): number => {
  const first = text.charCodeAt(0)
  for (let at = bytes.indexOf(first, from); at >= 0; at = bytes.indexOf(first, at + 1)) {
    let length = 1
    while (length < text.length && bytes[at + length] === text.charCodeAt(length)) length++
    if (length === text.length) return at
  }
  return -1
}
