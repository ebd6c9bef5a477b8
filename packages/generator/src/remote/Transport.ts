import { Duration, Effect, Redacted, Schedule, type Scope, Semaphore, Stream } from "effect"
import { RemoteFailed } from "../Errors.ts"
import { eventData } from "./EventStream.ts"
import type { Endpoint } from "./OpenAiOptions.ts"

/** Sends requests to an endpoint and reads its answers. */
export interface Transport {
  /** The JSON that a request is answered by; `path` is absolute or goes on from the endpoint's address. */
  readonly post: (path: string, body: unknown) => Effect.Effect<unknown, RemoteFailed>
  /** The JSON of each event of a stream, up to `[DONE]` or to where the connection ends. */
  readonly events: (path: string, body: unknown) => Stream.Stream<unknown, RemoteFailed>
}

/** A failed try, and whether another one may help. */
interface Failure {
  readonly error: RemoteFailed
  readonly again: boolean
  /** Shortest wait that the server asks for, in milliseconds. */
  readonly wait: number
}

/** A longer wait than this is for the caller to decide. */
const longestWait = 60_000

/**
 * Requests over `fetch`, at most `concurrency` at once. What fails by 408, 429, 5xx or a broken connection is sent again
 * after a wait that doubles, and not before `Retry-After`; an answer that has begun to stream is not. Everything ends in
 * `RemoteFailed` with address and status.
 */
export const makeTransport = Effect.fnUntraced(function* (endpoint: Endpoint) {
  const { timeout, maxBytes } = endpoint
  const turns = yield* Semaphore.make(endpoint.concurrency)
  const schedule = Schedule.exponential(endpoint.retryDelay).pipe(
    Schedule.jittered,
    Schedule.setInputType<Failure>(),
    Schedule.modifyDelay(({ duration, input }) => Effect.succeed(Duration.max(duration, Duration.millis(input.wait)))),
  )
  const retried = <A>(effect: Effect.Effect<A, Failure, Scope.Scope>): Effect.Effect<A, RemoteFailed, Scope.Scope> =>
    effect.pipe(
      Effect.retry({ schedule, times: endpoint.retries, while: ({ again }) => again }),
      Effect.mapError(({ error }) => error),
    )

  /** The body of a successful response, as a stream of bytes that ends with the scope. */
  const open = Effect.fnUntraced(function* (
    url: string,
    body: unknown,
    accept: string,
  ): Effect.fn.Return<Stream.Stream<Uint8Array, Failure>, Failure, Scope.Scope> {
    const failure = failureAt(endpoint, url)
    const controller = yield* Effect.acquireRelease(
      Effect.sync(() => new AbortController()),
      (one) => Effect.sync(() => one.abort()),
    )
    const silent = Effect.fail(failure(`no word for ${Duration.format(timeout)} from`, { again: true }))
    const response = yield* Effect.tryPromise({
      try: () =>
        fetch(url, {
          method: "POST",
          headers: headersOf(endpoint, accept),
          body: JSON.stringify(body),
          signal: controller.signal,
        }),
      catch: (cause) => failure(`no answer from`, { again: true, found: reasonOf(cause) }),
    }).pipe(Effect.timeoutOrElse({ duration: timeout, orElse: () => silent }))
    const bytes = bounded(
      Stream.fromReadableStream({
        evaluate: () => response.body ?? new ReadableStream({ start: (one) => one.close() }),
        onError: (cause) => failure("the connection broke to", { again: true, found: reasonOf(cause) }),
      }).pipe(Stream.timeoutOrElse({ duration: timeout, orElse: () => Stream.fromEffect(silent) })),
      maxBytes,
      () => failure(`more than ${maxBytes} bytes from`),
    )
    if (response.ok) return bytes
    const said = yield* textOf(bytes).pipe(Effect.orElseSucceed(() => ""))
    const wait = waitOf(response.headers.get("retry-after"))
    const passing = response.status === 408 || response.status === 429 || response.status >= 500
    return yield* Effect.fail(
      failure(`status ${response.status} from`, {
        status: response.status,
        again: passing && wait <= longestWait,
        wait,
        found: messageIn(said),
        ...(wait > longestWait ? { hint: `the server asks to wait for ${Math.ceil(wait / 1000)} s` } : {}),
      }),
    )
  })

  const post: Transport["post"] = (path, body) => {
    const url = urlOf(endpoint, path)
    const failure = failureAt(endpoint, url)
    const text = Effect.flatMap(open(url, body, "application/json"), textOf)
    return turns.withPermit(Effect.scoped(retried(Effect.scoped(text)))).pipe(
      Effect.flatMap((said) =>
        Effect.try({
          try: (): unknown => JSON.parse(said),
          catch: () => failure("no JSON from", { found: said }).error,
        }),
      ),
    )
  }

  const events: Transport["events"] = (path, body) => {
    const url = urlOf(endpoint, path)
    const failure = failureAt(endpoint, url)
    const opened = Effect.gen(function* () {
      yield* Effect.acquireRelease(turns.take(1), () => turns.release(1))
      const bytes = yield* retried(open(url, { ...asRecord(body), stream: true }, "text/event-stream"))
      return bytes.pipe(
        Stream.mapError(({ error }) => error),
        eventData,
        Stream.takeWhile((data) => data !== "[DONE]"),
        Stream.mapEffect((data) =>
          Effect.try({
            try: (): unknown => JSON.parse(data),
            catch: () => failure("an event without JSON from", { found: data }).error,
          }),
        ),
      )
    })
    return Stream.unwrap(opened)
  }
  return { post, events } satisfies Transport
})

/** The bytes of a body as one text. */
const textOf = (bytes: Stream.Stream<Uint8Array, Failure>): Effect.Effect<string, Failure> =>
  bytes.pipe(Stream.decodeText, Stream.mkString)

/** A stream of bytes that fails where it is longer than `most`. */
const bounded = (
  bytes: Stream.Stream<Uint8Array, Failure>,
  most: number,
  failure: () => Failure,
): Stream.Stream<Uint8Array, Failure> =>
  bytes.pipe(
    Stream.mapAccumEffect(
      () => 0,
      (seen, chunk) => {
        const all = seen + chunk.length
        return all > most ? Effect.fail(failure()) : Effect.succeed([all, [chunk]] as const)
      },
    ),
  )

interface Details {
  readonly again?: boolean
  readonly wait?: number
  readonly status?: number
  readonly found?: string
  readonly hint?: string
}

/** Makes the failures of requests to one address. */
const failureAt =
  ({ shown }: Endpoint, url: string) =>
  (what: string, { again = false, wait = 0, found = "", ...rest }: Details = {}): Failure => {
    const said = found === "" ? {} : { found: shown(found) }
    const after = wait === 0 ? {} : { retryAfter: wait / 1000 }
    return { error: new RemoteFailed({ message: `${what} ${url}`, url, ...said, ...after, ...rest }), again, wait }
  }

const headersOf = ({ apiKey }: Endpoint, accept: string): Readonly<Record<string, string>> => ({
  accept,
  "content-type": "application/json",
  ...(apiKey === undefined ? {} : { authorization: `Bearer ${Redacted.value(apiKey)}` }),
})

const urlOf = ({ url }: Endpoint, path: string): string => (/^https?:/.test(path) ? path : `${url}${path}`)

const asRecord = (body: unknown): object => (typeof body === "object" && body !== null ? body : {})

/** Milliseconds that `Retry-After` asks for, in seconds or as a date. */
const waitOf = (header: string | null): number => {
  if (header === null) return 0
  const wait = /^\d+(\.\d+)?$/.test(header) ? Number(header) * 1000 : Date.parse(header) - Date.now()
  return Number.isFinite(wait) ? Math.max(0, wait) : 0
}

/** What a network error says; `fetch` puts the reason into the cause. */
const reasonOf = (error: unknown): string => {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error
  return cause instanceof Error ? cause.message : String(cause)
}

/** The message of an error's body, which servers write as `{"error": {"message"}}`, `{"error"}` or `{"message"}`. */
const messageIn = (body: string): string => {
  try {
    const { error, message, detail }: { error?: unknown; message?: unknown; detail?: unknown } = Object(
      JSON.parse(body),
    )
    const inner: { message?: unknown } = Object(error)
    const found = [inner.message, error, message, detail].find((one) => typeof one === "string")
    return typeof found === "string" ? found : body
  } catch {
    return body
  }
}
