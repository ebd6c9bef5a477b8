import { Effect } from "effect"
import { type DatasetError, isDatasetError } from "../../Errors.ts"

/** Runs a reader; its own errors become failures, everything else is a defect. */
export const attempt = <A>(read: (signal: AbortSignal) => Promise<A>): Effect.Effect<A, DatasetError> =>
  Effect.tryPromise({ try: read, catch: (error) => error }).pipe(
    Effect.catch((error) => (isDatasetError(error) ? Effect.fail(error) : Effect.die(error))),
  )
