import type { Limits } from "../Limits.ts"
import type { Served } from "../Served.ts"
import type { Telemetry } from "./Telemetry.ts"

/** What all routes work with. */
export interface Desk {
  readonly served: Served
  /** What the model is called by clients. */
  readonly name: string
  readonly limits: Limits
  readonly telemetry: Telemetry
}

/** What a request says, and how long it lives. */
export interface Call<A> {
  readonly body: A
  readonly signal: AbortSignal
  /** Seconds since the request came. */
  readonly elapsed: () => number
  /** Hears of what a stream ended in, once it has begun to be sent. */
  readonly failed: (cause: unknown) => void
}
