import { Context, Metric } from "effect"
import { formatUnsafe } from "effect/observability/PrometheusMetrics"

/** How a request went. */
export interface Went {
  readonly route: string
  readonly status: number
  readonly seconds: number
}

/** Counts what a handler does, and tells it in Prometheus' text format. */
export interface Telemetry {
  readonly went: (went: Went) => void
  readonly firstToken: (seconds: number) => void
  readonly tokens: (kind: "read" | "written", count: number) => void
  /** All of it as text; `occupancy` is of the moment. */
  readonly render: (occupancy: { readonly present: number; readonly running: number }) => string
}

const secondBounds = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120]

/** Telemetry of its own: two handlers of a process count apart. */
export const makeTelemetry = (): Telemetry => {
  const context = Context.make(Metric.MetricRegistry, new Map())
  const counter = (name: string, description: string) => Metric.counter(name, { description, incremental: true })
  const requests = counter("tandem_requests_total", "Requests by route and status")
  const seconds = Metric.histogram("tandem_request_seconds", {
    description: "From a request's arrival until its answer was sent",
    boundaries: secondBounds,
  })
  const firstToken = Metric.histogram("tandem_first_token_seconds", {
    description: "From a streamed question's arrival until the first token of its answer",
    boundaries: secondBounds,
  })
  const tokens = counter("tandem_tokens_total", "Tokens that models read and wrote")
  const present = Metric.gauge("tandem_requests_present", { description: "Requests that are read, wait or run" })
  const running = Metric.gauge("tandem_requests_running", { description: "Requests that run" })
  // Series keep their keys, which are costly to make; there are few of them.
  const counts = kept((route: string, status: string) => Metric.withAttributes(requests, { route, status }))
  const durations = kept((route: string) => Metric.withAttributes(seconds, { route }))
  const kinds = kept((kind: string) => Metric.withAttributes(tokens, { kind }))
  return {
    went: ({ route, status, seconds: taken }) => {
      counts(route, `${status}`).updateUnsafe(1, context)
      durations(route).updateUnsafe(taken, context)
    },
    firstToken: (taken) => firstToken.updateUnsafe(taken, context),
    tokens: (kind, count) => kinds(kind).updateUnsafe(count, context),
    render: (occupancy) => {
      present.updateUnsafe(occupancy.present, context)
      running.updateUnsafe(occupancy.running, context)
      return formatUnsafe(context)
    },
  }
}

/** What is made for names, made once for each. */
const kept = <Names extends readonly string[], A>(make: (...names: Names) => A): ((...names: Names) => A) => {
  const made = new Map<string, A>()
  return (...names) => {
    const name = names.join(" ")
    const found = made.get(name) ?? make(...names)
    made.set(name, found)
    return found
  }
}
