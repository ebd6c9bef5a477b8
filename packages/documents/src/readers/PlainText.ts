import { paragraphsOf } from "../Document.ts"
import { type Reader, Unreadable } from "./Reader.ts"

/** Text whose paragraphs are separated by blank lines. */
export const readPlainText: Reader = (bytes) => ({ paragraphs: paragraphsOf(decodeText(bytes)) })

/** UTF-8, or UTF-16 with a byte order mark. Other bytes are `binary`. */
export const decodeText = (bytes: Uint8Array): string => {
  const encoding = wideEncoding(bytes)
  if (encoding === "utf-8" && bytes.subarray(0, 8192).includes(0)) {
    throw new Unreadable("binary", "holds bytes that are no text")
  }
  try {
    return new TextDecoder(encoding, { fatal: true }).decode(bytes)
  } catch {
    throw new Unreadable("binary", `is not ${encoding.toUpperCase()} text`, "save the file as UTF-8")
  }
}

const wideEncoding = ([first, second]: Uint8Array): "utf-8" | "utf-16le" | "utf-16be" => {
  if (first === 0xff && second === 0xfe) return "utf-16le"
  return first === 0xfe && second === 0xff ? "utf-16be" : "utf-8"
}
