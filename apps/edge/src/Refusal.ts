/** Statuses that a request can be refused with. */
export type RefusalStatus = 400 | 401 | 403 | 404 | 405 | 408 | 413 | 415 | 417 | 429 | 431 | 499 | 500 | 503

/** What a client is told beside the message. */
export interface RefusalDetails {
  /** OpenAI's word for the case, which programs look at. */
  readonly code: string
  /** The field of the request. */
  readonly param?: string
  /** Seconds after which the same request may succeed. */
  readonly retryAfter?: number
  /** Methods that the address has. */
  readonly allow?: string
}

/** A request that gets no answer; what it says holds nothing of this machine. */
export class Refusal extends Error {
  readonly status: RefusalStatus
  readonly details: RefusalDetails

  constructor(status: RefusalStatus, message: string, details: RefusalDetails) {
    super(message)
    this.name = "Refusal"
    this.status = status
    this.details = details
  }
}

/** OpenAI's kinds of errors, by status; all others are `invalid_request_error`. */
const types: Readonly<Partial<Record<RefusalStatus, string>>> = {
  401: "authentication_error",
  429: "rate_limit_error",
  500: "server_error",
  503: "server_error",
}

/** The body of an error as OpenAI's clients read it. */
export const refusalBody = ({ status, message, details }: Refusal) => ({
  error: {
    message,
    type: types[status] ?? "invalid_request_error",
    param: details.param ?? null,
    code: details.code,
  },
})

/** The answer that a refused request gets. */
export const refusalResponse = (refusal: Refusal): Response => {
  const { status, details } = refusal
  const headers = new Headers({ "content-type": "application/json" })
  if (details.retryAfter !== undefined) headers.set("retry-after", `${Math.max(1, Math.ceil(details.retryAfter))}`)
  if (details.allow !== undefined) headers.set("allow", details.allow)
  if (status === 401) headers.set("www-authenticate", "Bearer")
  return new Response(JSON.stringify(refusalBody(refusal)), { status, headers })
}
