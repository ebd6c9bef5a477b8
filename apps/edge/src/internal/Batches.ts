/** What several callers want of one function at the same moment, done in one call of it. */
export interface Batched<A, B> {
  /** What becomes of these items, in their order. Where `signal` says so the caller hears no more of it. */
  readonly ask: (items: readonly A[], signal: AbortSignal) => Promise<readonly B[]>
}

interface Caller<A, B> {
  readonly items: readonly A[]
  readonly resolve: (results: readonly B[]) => void
  readonly reject: (cause: unknown) => void
  readonly signal: AbortSignal
}

/**
 * Batches by what is there: who comes first is served at once, alone; who comes while that runs is served with all others that
 * did, up to `most` items, in order. So nobody waits for a clock, and the busier it is, the larger batches are. `run` is given
 * a signal that tells that no caller of the batch waits any more; one that fails fails for all of its batch.
 */
export const makeBatched = <A, B>(
  run: (items: readonly A[], signal: AbortSignal) => Promise<readonly B[]>,
  { most, observe = () => {} }: { readonly most: number; readonly observe?: (items: number) => void },
): Batched<A, B> => {
  const waiting = new Set<Caller<A, B>>()
  let busy = false

  const take = (): readonly Caller<A, B>[] => {
    const taken: Caller<A, B>[] = []
    let items = 0
    for (const caller of waiting) {
      if (taken.length > 0 && items + caller.items.length > most) break
      waiting.delete(caller)
      if (caller.signal.aborted) continue
      taken.push(caller)
      items += caller.items.length
    }
    return taken
  }

  const serve = async (callers: readonly Caller<A, B>[]): Promise<void> => {
    const controller = new AbortController()
    const check = (): void => {
      if (callers.every(({ signal }) => signal.aborted)) controller.abort(callers[0]?.signal.reason)
    }
    for (const { signal } of callers) signal.addEventListener("abort", check)
    try {
      const items = callers.flatMap((caller) => caller.items)
      observe(items.length)
      const results = await run(items, controller.signal)
      let at = 0
      for (const caller of callers) {
        caller.resolve(results.slice(at, at + caller.items.length))
        at += caller.items.length
      }
    } catch (cause) {
      for (const { reject } of callers) reject(cause)
    } finally {
      for (const { signal } of callers) signal.removeEventListener("abort", check)
    }
  }

  const work = async (): Promise<void> => {
    if (busy) return
    busy = true
    for (let callers = take(); callers.length > 0; callers = take()) await serve(callers)
    busy = false
  }

  return {
    ask: (items, signal) =>
      new Promise((resolve, reject) => {
        if (signal.aborted) return reject(signal.reason)
        const stop = (): void => {
          waiting.delete(caller)
          reject(signal.reason)
        }
        const settled = (): void => signal.removeEventListener("abort", stop)
        const caller: Caller<A, B> = {
          items,
          signal,
          resolve: (results) => {
            settled()
            resolve(results)
          },
          reject: (cause) => {
            settled()
            reject(cause)
          },
        }
        signal.addEventListener("abort", stop, { once: true })
        waiting.add(caller)
        void work()
      }),
  }
}
