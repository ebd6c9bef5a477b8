import { Deferred, Effect, Exit, Fiber, Latch, type Scope } from "effect"

export interface BatcherOptions<A, B, E> {
  /** Most items of one batch. */
  readonly most: number
  /** Items of different keys never share a batch; all may where absent. */
  readonly keyOf?: (item: A) => string
  /** Results in the order of the items. */
  readonly run: (items: readonly A[]) => Effect.Effect<readonly B[], E>
}

interface Entry<A, B, E> {
  readonly item: A
  readonly key: string
  readonly result: Deferred.Deferred<B, E>
}

/**
 * Work that is done in batches, one at a time: what comes while a batch runs waits for it and makes the next one, so that
 * nobody waits longer than for the batches before them. The next one begins before the results of a batch are told, so that
 * what computes does not wait for what is done with them. Who is interrupted leaves the batch; a batch that all have left ends.
 * Where a batch fails, its items are tried one by one, so that each hears of its own failure alone.
 */
export const makeBatcher = Effect.fnUntraced(function* <A, B, E>({
  most,
  keyOf = () => "",
  run,
}: BatcherOptions<A, B, E>): Effect.fn.Return<(item: A) => Effect.Effect<B, E>, never, Scope.Scope> {
  let waiting: readonly Entry<A, B, E>[] = []
  let running: { readonly entries: Set<Entry<A, B, E>>; fiber?: Fiber.Fiber<Effect.Effect<void>> } | undefined
  const some = yield* Latch.make(false)

  const take = (): readonly Entry<A, B, E>[] => {
    const key = waiting[0]?.key
    const batch = waiting.filter((entry) => entry.key === key).slice(0, most)
    waiting = waiting.filter((entry) => !batch.includes(entry))
    if (waiting.length === 0) some.closeUnsafe()
    return batch
  }
  /** Runs a batch, and gives what tells its results. `present` are those who have not left. */
  const settle = Effect.fnUntraced(function* (
    batch: readonly Entry<A, B, E>[],
    present: Set<Entry<A, B, E>>,
  ): Effect.fn.Return<Effect.Effect<void>> {
    const exit = yield* Effect.exit(run(batch.map(({ item }) => item)))
    if (Exit.isSuccess(exit)) {
      const tell = ({ result }: Entry<A, B, E>, index: number) => Deferred.succeed(result, exit.value[index]!)
      return Effect.forEach(batch, tell, { discard: true })
    }
    if (batch.length === 1) return Effect.asVoid(Deferred.failCause(batch[0]!.result, exit.cause))
    for (const entry of batch) {
      if (!present.has(entry)) continue
      yield* Effect.flatten(settle([entry], present))
      present.delete(entry)
    }
    return Effect.void
  })
  // Interrupted where it waits alone, so that all are told what is known.
  const loop = Effect.uninterruptibleMask((restore) =>
    Effect.gen(function* () {
      yield* restore(some.await)
      // What is asked for at the same moment comes together.
      yield* Effect.yieldNow
      let tell: Effect.Effect<void> = Effect.void
      for (let batch = take(); batch.length > 0; batch = take()) {
        const entries = new Set(batch)
        const mine: typeof running = { entries }
        running = mine
        const fiber = yield* Effect.forkChild(settle(batch, entries), { startImmediately: true })
        mine.fiber = fiber
        // All of them may have left while it began.
        if (entries.size === 0) yield* Fiber.interrupt(fiber)
        // What computes has the next batch before anybody does something with the results of the one before.
        yield* tell
        const exit = yield* restore(Fiber.await(fiber))
        tell = Exit.isSuccess(exit) ? exit.value : Effect.void
        running = undefined
      }
      yield* tell
    }),
  )
  yield* Effect.forkScoped(Effect.forever(loop))
  // Nobody waits for what will not come.
  yield* Effect.addFinalizer(() =>
    Effect.forEach([...waiting, ...(running?.entries ?? [])], ({ result }) => Deferred.interrupt(result)),
  )

  const leave = (entry: Entry<A, B, E>): Effect.Effect<void> =>
    Effect.suspend(() => {
      waiting = waiting.filter((other) => other !== entry)
      if (running?.entries.delete(entry) !== true || running.entries.size > 0) return Effect.void
      return running.fiber === undefined ? Effect.void : Fiber.interrupt(running.fiber)
    })
  return (item) =>
    Effect.suspend(() => {
      const entry = { item, key: keyOf(item), result: Deferred.makeUnsafe<B, E>() }
      waiting = [...waiting, entry]
      some.openUnsafe()
      return Effect.onInterrupt(Deferred.await(entry.result), () => leave(entry))
    })
})
