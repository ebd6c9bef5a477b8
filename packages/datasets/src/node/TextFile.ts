import { createReadStream } from "node:fs"
import { open } from "node:fs/promises"
import { pipeline } from "node:stream"
import { createGunzip } from "node:zlib"
import { InvalidGzipError, InvalidUtf8Error, UnreadableFileError } from "../Errors.ts"

/**
 * The text of a file in pieces, unpacked where it starts as gzip data. Throws `UnreadableFileError`,
 * `InvalidGzipError` and `InvalidUtf8Error`.
 */
export async function* textChunks(file: string, signal?: AbortSignal): AsyncGenerator<string> {
  const packed = await isGzip(file)
  const stream = createReadStream(file, { ...(signal === undefined ? {} : { signal }), highWaterMark: 1 << 18 })
  const bytes = packed ? pipeline(stream, createGunzip(), () => {}) : stream
  const decoder = new TextDecoder("utf-8", { fatal: true })
  let line = 1
  try {
    for await (const chunk of bytes) {
      if (!(chunk instanceof Uint8Array)) continue
      const text = decode(decoder, chunk, file, line)
      for (let at = text.indexOf("\n"); at >= 0; at = text.indexOf("\n", at + 1)) line++
      yield text
    }
    decode(decoder, undefined, file, line)
  } catch (error) {
    if (isSystemError(error) && (error.code?.startsWith("Z_") ?? false)) {
      throw new InvalidGzipError({
        message: `${file} is damaged gzip data, or cut off`,
        file,
        expected: "gzip data",
        found: error.message,
        hint: "get the file again",
      })
    }
    throw isSystemError(error) ? unreadable(file, error) : error
  } finally {
    stream.destroy()
  }
}

const decode = (decoder: TextDecoder, chunk: Uint8Array | undefined, file: string, line: number): string => {
  try {
    return chunk === undefined ? decoder.decode() : decoder.decode(chunk, { stream: true })
  } catch {
    const before = new TextDecoder().decode(chunk ?? new Uint8Array()).split("\uFFFD")[0] ?? ""
    const at = line + before.split("\n").length - 1
    throw new InvalidUtf8Error({
      message: `${file}:${at} is not UTF-8 text`,
      file,
      line: at,
      expected: "UTF-8",
      found: "other bytes",
      hint: "save the file as UTF-8",
    })
  }
}

const isGzip = async (file: string): Promise<boolean> => {
  try {
    const handle = await open(file)
    try {
      const { buffer, bytesRead } = await handle.read(new Uint8Array(2), 0, 2, 0)
      const packed = bytesRead === 2 && buffer[0] === 0x1f && buffer[1] === 0x8b
      if (!packed && bytesRead > 0 && file.endsWith(".gz")) {
        throw new InvalidGzipError({
          message: `${file} is named as gzip data and is none`,
          file,
          expected: "gzip data",
          found: "other bytes",
        })
      }
      return packed
    } finally {
      await handle.close()
    }
  } catch (error) {
    throw isSystemError(error) ? unreadable(file, error) : error
  }
}

type SystemError = Error & { readonly code?: string }

/** Whether a value is an error of the operating system or of zlib, as Node throws them. */
export const isSystemError = (error: unknown): error is SystemError =>
  error instanceof Error && "code" in error && typeof error.code === "string" && error.name !== "AbortError"

export const unreadable = (file: string, error: Error): UnreadableFileError =>
  new UnreadableFileError({
    message: `${file} cannot be read: ${error.message}`,
    file,
    expected: "a readable file or folder",
    found: error.message,
  })
