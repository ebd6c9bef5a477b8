import type { Limits } from "./Limits.ts"

/** A line about a request that was answered. It holds nothing that the client sent but the route. */
export interface RequestLine {
  readonly id: string
  readonly method: string
  /** The route's pattern, `unknown` where there is none. */
  readonly route: string
  readonly status: number
  readonly seconds: number
  /** The tag of the error that a fault of the server ended in. */
  readonly fault?: string
}

/** How a handler serves. */
export interface HandlerOptions {
  /** What the model is called by clients; `tandem` where absent. */
  readonly name?: string
  /** The key that requests have to bring; none where absent. */
  readonly apiKey?: string
  /** Origins whose pages may ask, such as `https://example.org`; none where absent. */
  readonly origins?: readonly string[]
  /**
   * Names and addresses under which the server may be asked, without a port; any where absent. A page of another origin whose
   * own name leads here asks under that name.
   */
  readonly hosts?: readonly string[]
  /** Limits other than the usual ones. */
  readonly limits?: Partial<Limits>
  /** Whether `/` is a page to ask in; true where absent. */
  readonly page?: boolean
  /** Hears of every request. */
  readonly observe?: (line: RequestLine) => void
}
