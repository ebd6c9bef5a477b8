import { readPlainText } from "./PlainText.ts"
import type { Reader } from "./Reader.ts"

/** Formats that are read as a whole; JSON Lines, a document a line, is the other one. */
export type Format = "text" | "jsonl"

/** Formats by the end of a file's name, in lower case. */
export const formatsByExtension: Readonly<Record<string, Format>> = {
  txt: "text",
  text: "text",
  md: "text",
  markdown: "text",
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
}
