import { fileName, type ReadFiles } from "./ReadFiles.ts"

/**
 * The bytes of a body. One whose length is announced is read into memory of that length, where the platform can: it may join
 * what it has gathered otherwise, and then a model's file is there twice. What is compressed on its way becomes longer.
 */
const wholeBody = async (response: Response): Promise<Uint8Array> => {
  const length = Number(response.headers.get("content-length") ?? 0)
  const reader = length >= leastGathered ? bytesReader(response.body) : undefined
  if (reader === undefined) return new Uint8Array(await response.arrayBuffer())
  let bytes = new Uint8Array(length)
  for (let at = 0; at < length; ) {
    const { done, value } = await reader.read(bytes.subarray(at))
    if (done) throw new Error(`the server announced ${length} bytes and sent ${at}`)
    at += value.length
    // Memory that is read into is handed over, and comes back.
    bytes = new Uint8Array(value.buffer)
  }
  const more: Uint8Array[] = []
  for (;;) {
    const { done, value } = await reader.read(new Uint8Array(more.length === 0 ? 1 : leastGathered))
    if (done) return more.length === 0 ? bytes : joined([bytes, ...more])
    more.push(value)
  }
}

const joined = (pieces: readonly Uint8Array[]): Uint8Array => {
  const bytes = new Uint8Array(pieces.reduce((sum, { length }) => sum + length, 0))
  let at = 0
  for (const piece of pieces) {
    bytes.set(piece, at)
    at += piece.length
  }
  return bytes
}

/** Smaller bodies are not worth reading by ourselves. */
const leastGathered = 2 ** 20

/** A reader into memory of ours, of a body that has such; not all platforms' have. */
const bytesReader = (body: ReadableStream<Uint8Array> | null): ReadableStreamBYOBReader | undefined => {
  try {
    return body?.getReader({ mode: "byob" })
  } catch {
    return undefined
  }
}

/** How files behind an address are fetched. */
export interface FilesAtOptions {
  /** The platform's own where absent. */
  readonly fetch?: (url: string, init: RequestInit) => Promise<Response>
  /** Sent along with every request. */
  readonly headers?: Readonly<Record<string, string>>
}

/**
 * The files below an address (`https://…/run`, an object storage, a server's static folder). A file that is not there is one
 * whose answer is 404 or 410; any other failure throws. Of a server that ignores ranges a file is fetched once as a whole, and
 * held until another is read.
 */
export const filesAt = (address: string | URL, options: FilesAtOptions = {}): ReadFiles => {
  const { fetch = (url, init) => globalThis.fetch(url, init), headers = {} } = options
  const location = String(address).replace(/\/$/, "")
  const ask = async (path: string, init: RequestInit): Promise<Response | undefined> => {
    const name = fileName({ location }, path.split("/").map(encodeURIComponent).join("/"))
    const response = await fetch(name, init)
    if (response.ok) return response
    await response.body?.cancel()
    if (response.status === 404 || response.status === 410) return undefined
    throw new Error(`the server answered ${response.status} for ${path}`)
  }
  // What came as a whole where a part was asked for: the next part is most likely of the same file.
  let whole: { readonly path: string; readonly bytes: Promise<Uint8Array> } | undefined
  const fetchWhole = (path: string, response: Response): Promise<Uint8Array> => {
    const bytes = wholeBody(response)
    const mine = { path, bytes }
    whole = mine
    bytes.catch(() => {
      if (whole === mine) whole = undefined
    })
    return bytes
  }
  return {
    location,
    read: async (path) => {
      whole = undefined
      const response = await ask(path, { headers: { ...headers } })
      return response && wholeBody(response)
    },
    stat: async (path) => {
      const response = await ask(path, { method: "HEAD", headers: { ...headers } })
      if (response === undefined) return undefined
      // What is compressed on its way has another length there.
      const length = response.headers.has("content-encoding") ? null : response.headers.get("content-length")
      return length === null ? {} : { size: Number(length) }
    },
    readRange: async (path, start, end) => {
      if (end <= start) return new Uint8Array(0)
      if (whole?.path === path) return (await whole.bytes).slice(start, end)
      const response = await ask(path, { headers: { ...headers, range: `bytes=${start}-${end - 1}` } })
      if (response === undefined) throw new Error(`the server has no ${path}`)
      if (response.status === 206) return new Uint8Array(await response.arrayBuffer())
      if (whole?.path !== path) return (await fetchWhole(path, response)).slice(start, end)
      // Another part that was asked for at the same time has begun to take it.
      await response.body?.cancel()
      return (await whole.bytes).slice(start, end)
    },
  }
}
