import type { Limits } from "../Limits.ts"
import { Refusal } from "../Refusal.ts"

const tooLarge = (most: number): Refusal =>
  new Refusal(413, `the body is longer than ${most} bytes`, { code: "request_too_large" })

const notJson = (what: string): Refusal => new Refusal(400, `the body is no JSON: ${what}`, { code: "invalid_json" })

/** Rejects when `signal` does, or after so many seconds. */
const untilOver = (
  signal: AbortSignal,
  seconds: number,
): { readonly over: Promise<never>; readonly settle: () => void } => {
  let settle = (): void => {}
  const over = new Promise<never>((_, reject) => {
    if (signal.aborted) return reject(signal.reason)
    const stop = (): void => reject(signal.reason)
    const late = (): void =>
      reject(new Refusal(408, `the body was not there within ${seconds} seconds`, { code: "request_timeout" }))
    const clock = setTimeout(late, seconds * 1000)
    signal.addEventListener("abort", stop, { once: true })
    settle = () => {
      clearTimeout(clock)
      signal.removeEventListener("abort", stop)
    }
  })
  over.catch(() => {})
  return { over, settle }
}

/** The bytes of a stream, of which no more are held than allowed; it is left as soon as it is too long or too late. */
const readPieces = async (
  body: ReadableStream<Uint8Array>,
  most: number,
  over: Promise<never>,
): Promise<Uint8Array> => {
  const reader = body.getReader()
  const pieces: Uint8Array[] = []
  let length = 0
  try {
    for (;;) {
      const { done, value } = await Promise.race([reader.read(), over])
      if (done) break
      length += value.length
      if (length > most) throw tooLarge(most)
      pieces.push(value)
    }
  } catch (cause) {
    void reader.cancel().catch(() => {})
    throw cause
  }
  const bytes = new Uint8Array(length)
  let at = 0
  for (const piece of pieces) {
    bytes.set(piece, at)
    at += piece.length
  }
  return bytes
}

/** The bytes of a body. What was announced is read at once: no more than that can come. */
const readBytes = async (request: Request, limits: Limits, signal: AbortSignal): Promise<Uint8Array> => {
  const { bodyBytes, bodySeconds } = limits
  const announced = request.headers.get("content-length")
  if (announced !== null && Number(announced) > bodyBytes) throw tooLarge(bodyBytes)
  const { over, settle } = untilOver(signal, bodySeconds)
  try {
    if (announced !== null) return new Uint8Array(await Promise.race([request.arrayBuffer(), over]))
    return request.body === null ? new Uint8Array() : await readPieces(request.body, bodyBytes, over)
  } catch (cause) {
    if (cause instanceof Refusal) throw cause
    throw new Refusal(400, "the body ended before its end", { code: "invalid_body" })
  } finally {
    settle()
  }
}

const utf8 = new TextDecoder("utf-8", { fatal: true })

/**
 * The JSON that a request brings, within the limits. It has to say that it is JSON: pages of other origins cannot do that
 * without having asked before, so that no page can make a browser ask a server of this machine.
 */
export const readJson = async (request: Request, limits: Limits, signal: AbortSignal): Promise<unknown> => {
  const type = (request.headers.get("content-type") ?? "").split(";")[0]?.trim().toLowerCase()
  if (type !== "application/json")
    throw new Refusal(415, "the body has to be `application/json`", { code: "unsupported_media_type" })
  if ((request.headers.get("content-encoding") ?? "identity") !== "identity")
    throw new Refusal(415, "the body has to be sent uncompressed", { code: "unsupported_content_encoding" })
  const bytes = await readBytes(request, limits, signal)
  if (bytes.length === 0) throw notJson("it is empty")
  let text: string
  try {
    text = utf8.decode(bytes)
  } catch {
    throw notJson("it is not in UTF-8")
  }
  try {
    return JSON.parse(text)
  } catch {
    throw notJson("it cannot be parsed")
  }
}
