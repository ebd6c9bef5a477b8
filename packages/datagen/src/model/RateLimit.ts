import { Clock, Effect, Semaphore } from "effect"

const minute = 60_000

/** Most requests and tokens of any minute; no limit where absent. */
export interface RateLimits {
  readonly requestsPerMinute?: number | undefined
  readonly tokensPerMinute?: number | undefined
}

/** Holds requests back until they are within limits. */
export interface RateLimit {
  /**
   * Waits for its turn, in the order of asking, and counts a request of as many tokens as it may have. `settle` says how
   * many it had. One that has more than a minute may have waits for an empty minute.
   */
  readonly enter: (tokens: number) => Effect.Effect<(tokens: number) => void>
}

interface Entry {
  readonly at: number
  tokens: number
}

/** Limits over the minute that has just passed, whenever it is looked at, so that no minute has more than they allow. */
export const makeRateLimit = ({ requestsPerMinute, tokensPerMinute }: RateLimits): RateLimit => {
  if (requestsPerMinute === undefined && tokensPerMinute === undefined) {
    return { enter: () => Effect.succeed(() => {}) }
  }
  const turn = Semaphore.makeUnsafe(1)
  const entries: Entry[] = []
  const enter = Effect.fnUntraced(function* (tokens: number): Effect.fn.Return<Entry> {
    for (;;) {
      const now = yield* Clock.currentTimeMillis
      while (entries[0] !== undefined && entries[0].at <= now - minute) entries.shift()
      const used = entries.reduce((sum, entry) => sum + entry.tokens, 0)
      const fits =
        entries.length < (requestsPerMinute ?? Number.POSITIVE_INFINITY) &&
        used + tokens <= (tokensPerMinute ?? Number.POSITIVE_INFINITY)
      const [first] = entries
      if (fits || first === undefined) {
        const entry = { at: now, tokens }
        entries.push(entry)
        return entry
      }
      yield* Effect.sleep(first.at + minute - now)
    }
  })
  return {
    enter: (tokens) =>
      turn.withPermit(enter(tokens)).pipe(
        Effect.map((entry) => (had: number) => {
          entry.tokens = had
        }),
      ),
  }
}
