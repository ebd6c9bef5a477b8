import type { Limits } from "../Limits.ts"
import { Refusal } from "../Refusal.ts"

/** The place of a request among all that the server has. */
export interface Place {
  /** Waits until the request may run. Rejects where `signal` says so first. */
  readonly run: (signal: AbortSignal) => Promise<void>
  /** Gives the place back; what is called more often than once changes nothing. */
  readonly leave: () => void
}

/** How full the server is. */
export interface Occupancy {
  readonly present: number
  readonly running: number
}

/** Who may run, who waits and who is sent away. */
export interface Admission {
  /** A place for a request, or a `Refusal`: 429 where all are taken, 503 where the server is about to stop. */
  readonly enter: () => Place
  /** Refuses everyone who comes, and waits until those have left who are there. */
  readonly drain: () => Promise<void>
  readonly occupancy: () => Occupancy
}

interface Waiting {
  readonly begin: () => void
}

/** First come, first served; `now` tells seconds. */
export const makeAdmission = (
  { requests, running: most }: Pick<Limits, "requests" | "running">,
  now: () => number,
): Admission => {
  let present = 0
  let running = 0
  let draining = false
  let empty: (() => void) | undefined
  const waiting = new Set<Waiting>()
  // How long a request ran of late, as a moving mean.
  let usual = 1

  const next = (): void => {
    for (const first of waiting) {
      if (running >= most) return
      waiting.delete(first)
      running++
      first.begin()
    }
  }

  const enter = (): Place => {
    if (draining) throw new Refusal(503, "the server is about to stop", { code: "server_stopping", retryAfter: 5 })
    if (present >= requests) {
      throw new Refusal(429, "the server has as many requests as it takes", {
        code: "rate_limit_exceeded",
        retryAfter: (usual * (1 + waiting.size)) / most,
      })
    }
    present++
    let began: number | undefined
    let left = false
    const run = (signal: AbortSignal): Promise<void> =>
      new Promise((resolve, reject) => {
        if (signal.aborted) return reject(signal.reason)
        const stop = (): void => {
          waiting.delete(mine)
          reject(signal.reason)
        }
        const mine: Waiting = {
          begin: () => {
            signal.removeEventListener("abort", stop)
            began = now()
            resolve()
          },
        }
        signal.addEventListener("abort", stop, { once: true })
        waiting.add(mine)
        next()
      })
    const leave = (): void => {
      if (left) return
      left = true
      present--
      if (began !== undefined) {
        running--
        usual += (now() - began - usual) / 8
      }
      next()
      if (present === 0) empty?.()
    }
    return { run, leave }
  }

  const drain = (): Promise<void> => {
    draining = true
    return new Promise((resolve) => {
      if (present === 0) return resolve()
      empty = resolve
    })
  }

  return { enter, drain, occupancy: () => ({ present, running }) }
}
