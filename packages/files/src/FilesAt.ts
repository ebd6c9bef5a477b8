import { fileName, type ReadFiles } from "./ReadFiles.ts"

/** How files behind an address are fetched. */
export interface FilesAtOptions {
  /** The platform's own where absent. */
  readonly fetch?: (url: string, init: RequestInit) => Promise<Response>
  /** Sent along with every request. */
  readonly headers?: Readonly<Record<string, string>>
}

/**
 * The files below an address (`https://…/run`, an object storage, a server's static folder). A file that is not there is one
 * whose answer is 404 or 410; any other failure throws. A server that ignores ranges is read as a whole.
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
  return {
    location,
    read: async (path) => {
      const response = await ask(path, { headers: { ...headers } })
      return response && new Uint8Array(await response.arrayBuffer())
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
      const response = await ask(path, { headers: { ...headers, range: `bytes=${start}-${end - 1}` } })
      if (response === undefined) throw new Error(`the server has no ${path}`)
      const bytes = new Uint8Array(await response.arrayBuffer())
      return response.status === 206 ? bytes : bytes.subarray(start, end)
    },
  }
}
