import { closeDevices } from "@tandem/runtime/node/CloseDevices"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"

/** Ctrl-C during a command. */
export interface Interrupts {
  /** Becomes true with the first one, if it may wait for the step in progress. */
  readonly stopRequested: Effect.Effect<boolean>
  /** Ends with the first one that need not wait. */
  readonly ended: Effect.Effect<void>
  /** To be called when there is nothing to wait for any more: a signal that waited ends the command now. */
  readonly settled: () => void
}

/**
 * Listens to SIGINT and SIGTERM for the rest of the process. The first signal asks for an orderly end: after the step
 * in progress where `waits()` says that there is one to save, else at once. The second ends the process with 130,
 * as soon as no device computes.
 */
export const listen = (options: {
  readonly waits: () => boolean
  readonly announce: (waiting: boolean) => void
}): Effect.Effect<Interrupts> =>
  Effect.sync(() => {
    const ended = Deferred.makeUnsafe<void>()
    let requested = false
    const handle = () => {
      if (requested) {
        void closeDevices().then(() => process.exit(130))
        return
      }
      requested = true
      const waiting = options.waits()
      options.announce(waiting)
      if (!waiting) Deferred.doneUnsafe(ended, Effect.void)
    }
    process.on("SIGINT", handle)
    process.on("SIGTERM", handle)
    return {
      stopRequested: Effect.sync(() => requested),
      ended: Deferred.await(ended),
      settled: () => {
        if (requested) Deferred.doneUnsafe(ended, Effect.void)
      },
    }
  })
