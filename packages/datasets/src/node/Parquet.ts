import { open } from "node:fs/promises"
import * as zlib from "node:zlib"
import { brotliDecompressSync, gunzipSync } from "node:zlib"
import { asyncBufferFromFile, parquetMetadataAsync, parquetReadObjects, parquetSchema } from "hyparquet"
import { InvalidParquetError } from "../Errors.ts"
import type { TableRow } from "../Source.ts"
import { isSystemError, unreadable } from "./TextFile.ts"

/** Rows that are unpacked together. */
const rowsAtOnce = 4096

/** Whether a file begins as Parquet does. */
export const isParquet = async (file: string): Promise<boolean> => {
  try {
    const handle = await open(file)
    try {
      const { buffer, bytesRead } = await handle.read(new Uint8Array(4), 0, 4, 0)
      return bytesRead === 4 && String.fromCharCode(...buffer) === "PAR1"
    } finally {
      await handle.close()
    }
  } catch (error) {
    throw isSystemError(error) ? unreadable(file, error) : error
  }
}

/** The names of a Parquet file's columns, and its rows (hyparquet); `line` is the row's number, from 1. */
export const openParquet = async (
  file: string,
): Promise<{ readonly names: readonly string[]; readonly rows: () => AsyncGenerator<TableRow> }> => {
  const source = await attempt(file, () => asyncBufferFromFile(file))
  const metadata = await attempt(file, () => parquetMetadataAsync(source))
  const names = await attempt(file, async () => parquetSchema(metadata).children.map(({ element }) => element.name))
  const count = Number(metadata.num_rows)
  async function* rows(): AsyncGenerator<TableRow> {
    for (let start = 0; start < count; start += rowsAtOnce) {
      const rowEnd = Math.min(count, start + rowsAtOnce)
      const batch = await attempt(file, () =>
        parquetReadObjects({ file: source, metadata, rowStart: start, rowEnd, compressors }),
      )
      if (batch.length !== rowEnd - start) throw invalid(file, `${batch.length} rows where ${rowEnd - start} should be`)
      for (const [index, row] of batch.entries()) yield { value: plain(row), line: start + index + 1 }
    }
  }
  return { names, rows }
}

const unpacked = (bytes: Uint8Array): Uint8Array => new Uint8Array(bytes)

/** What Parquet packs with besides Snappy, which hyparquet unpacks itself. */
const compressors = {
  GZIP: (bytes: Uint8Array): Uint8Array => unpacked(gunzipSync(bytes)),
  BROTLI: (bytes: Uint8Array): Uint8Array => unpacked(brotliDecompressSync(bytes)),
  ...("zstdDecompressSync" in zlib
    ? { ZSTD: (bytes: Uint8Array): Uint8Array => unpacked(zlib.zstdDecompressSync(bytes)) }
    : {}),
}

/** Numbers of 64 bits as ordinary ones where these hold them. */
const plain = (value: unknown): unknown => {
  if (typeof value === "bigint") return Number.isSafeInteger(Number(value)) ? Number(value) : String(value)
  if (Array.isArray(value)) return value.map(plain)
  if (typeof value !== "object" || value === null || ArrayBuffer.isView(value) || value instanceof Date) return value
  return Object.fromEntries(
    Object.entries(value).flatMap(([name, inner]) => (inner === undefined ? [] : [[name, plain(inner)]])),
  )
}

const attempt = async <A>(file: string, body: () => Promise<A>): Promise<A> => {
  try {
    return await body()
  } catch (error) {
    if (isSystemError(error) && error.code?.startsWith("E") === true && !error.code.startsWith("ERR_")) {
      throw unreadable(file, error)
    }
    throw invalid(file, error instanceof Error ? error.message : String(error))
  }
}

const invalid = (file: string, found: string): InvalidParquetError =>
  new InvalidParquetError({
    message: `${file} is damaged Parquet data, or of a kind that is not read: ${found}`,
    file,
    expected: "Parquet with Snappy, gzip, brotli, zstd or no packing",
    found,
    hint: "get the file again, or save it as JSON Lines",
  })
