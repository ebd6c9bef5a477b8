import { strFromU8, zipSync } from "fflate"
import { htmlText } from "./Html.ts"
import { type Reader, Unreadable } from "./Reader.ts"
import { unzip } from "./Zip.ts"

/** Word's documents, with headings by their styles, lists and tables; without pictures. */
export const readDocx: Reader = async (bytes, limits) => {
  if (isCompoundFile(bytes)) throw refusedCompound(bytes)
  const files = unzip(bytes, limits, (name) => /(?:\.xml|\.rels)$/i.test(name))
  const { default: mammoth } = await import("mammoth")
  // Packed anew, an archive holds nothing that was not counted, and no pictures.
  const archive = zipSync(files, { level: 0 })
  const input = { buffer: archive, arrayBuffer: bufferOf(archive) }
  const { value } = await mammoth.convertToHtml(input, { externalFileAccess: false })
  const title = titleOf(files["docProps/core.xml"])
  const { paragraphs } = htmlText(value)
  return { paragraphs, ...(title === undefined ? {} : { title }) }
}

const bufferOf = (bytes: Uint8Array): ArrayBuffer => {
  const copy = new ArrayBuffer(bytes.length)
  new Uint8Array(copy).set(bytes)
  return copy
}

const titleOf = (core: Uint8Array | undefined): string | undefined => {
  const title = core === undefined ? undefined : /<dc:title>([^<]*)<\/dc:title>/.exec(strFromU8(core))?.[1]
  if (title === undefined) return undefined
  const [paragraph] = htmlText(title).paragraphs
  return paragraph?.text
}

/** The container of Word's files before 2007, and of today's encrypted ones. */
const isCompoundFile = (bytes: Uint8Array): boolean =>
  [0xd0, 0xcf, 0x11, 0xe0].every((byte, index) => bytes[index] === byte)

const refusedCompound = (bytes: Uint8Array): Unreadable => {
  const isEncrypted = new TextDecoder("utf-16le")
    .decode(bytes.subarray(0, bytes.length & ~1))
    .includes("EncryptedPackage")
  return isEncrypted
    ? new Unreadable("password-protected", "is encrypted", "save it without a password")
    : new Unreadable("damaged", "is a document of Word before 2007", "save it as .docx")
}
