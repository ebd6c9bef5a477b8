import { Cause, Effect, Exit, Scope, Stream } from "effect"
import type { Answer, AskEvent, AskOptions, EmbedAs, RagFacts, RagSystem, Source } from "./RagSystem.ts"

/** What every call can be cancelled by. */
export interface Cancellable {
  readonly signal?: AbortSignal
}

/** Texts that are about to be embedded. */
export interface TokenizedCall {
  /** Tokens of each text. */
  readonly counts: readonly number[]
  /** As `RagClient.embed`, cancelled by what was given to `tokenize`. */
  readonly embed: () => Promise<readonly Float32Array[]>
}

/**
 * A `RagSystem` with promises. A failure rejects with the tagged error itself, a cancelled call with its signal's reason.
 * `close`, or `await using`, gives back models and threads; calls that are under way are cancelled.
 */
export interface RagClient extends AsyncDisposable {
  readonly facts: RagFacts
  readonly retrieve: (question: string, options?: { readonly k?: number } & Cancellable) => Promise<readonly Source[]>
  readonly embed: (
    texts: readonly string[],
    options: { readonly as: EmbedAs } & Cancellable,
  ) => Promise<readonly Float32Array[]>
  /** `embed` in two steps: how many tokens it will read is known before it does. */
  readonly tokenize: (
    texts: readonly string[],
    options: { readonly as: EmbedAs } & Cancellable,
  ) => Promise<TokenizedCall>
  readonly ask: (question: string, options?: AskOptions & Cancellable) => Promise<Answer>
  /** Leaving the loop stops the writing. */
  readonly askStream: (question: string, options?: AskOptions & Cancellable) => AsyncIterable<AskEvent>
  readonly askBatch: (questions: readonly string[], options?: AskOptions & Cancellable) => Promise<readonly Answer[]>
  readonly close: () => Promise<void>
}

/** The promise face of a system that lives as long as a scope of its own. */
export const openClient = async <E>(
  open: Effect.Effect<RagSystem, E, Scope.Scope>,
  { signal }: Cancellable = {},
): Promise<RagClient> => {
  const scope = Effect.runSync(Scope.make())
  const end = () => Effect.runPromise(Scope.close(scope, Exit.void))
  try {
    signal?.throwIfAborted()
    const exit = await Effect.runPromiseExit(Scope.provide(open, scope), signal === undefined ? {} : { signal })
    return clientOf(valueOf(exit, signal), end)
  } catch (cause) {
    await end()
    throw cause
  }
}

/** The promise face of a system; `close` gives back what it is made of. */
export const clientOf = (system: RagSystem, close: () => Promise<void> = async () => {}): RagClient => {
  const calls = makeCalls()
  const run = async <A, E>(effect: Effect.Effect<A, E>, given: AbortSignal | undefined): Promise<A> => {
    const { signal, end } = calls.begin(given)
    try {
      signal.throwIfAborted()
      return valueOf(await Effect.runPromiseExit(effect, { signal }), signal)
    } finally {
      end()
    }
  }
  /** Dies with the reason of a call that is cancelled. */
  const cancelled = (given: AbortSignal | undefined): Effect.Effect<never> =>
    Effect.callback((resume) => {
      const { signal, end } = calls.begin(given)
      const tell = () => {
        end()
        resume(Effect.die(signal.reason))
      }
      if (signal.aborted) tell()
      else signal.addEventListener("abort", tell, { once: true })
      return Effect.sync(end)
    })
  const end = async () => {
    calls.cancel(new Error("the system was closed"))
    await close()
  }
  return {
    facts: system.facts,
    retrieve: (question, { signal, ...options } = {}) => run(system.retrieve(question, options), signal),
    embed: (texts, { signal, ...options }) => run(system.embed(texts, options), signal),
    tokenize: async (texts, { signal, ...options }) => {
      const { counts, embed } = await run(system.tokenize(texts, options), signal)
      return { counts, embed: () => run(embed, signal) }
    },
    ask: (question, { signal, ...options } = {}) => run(system.ask(question, options), signal),
    askStream: (question, { signal, ...options } = {}) =>
      Stream.toAsyncIterable(Stream.interruptWhen(system.askStream(question, options), cancelled(signal))),
    askBatch: (questions, { signal, ...options } = {}) => run(system.askBatch(questions, options), signal),
    close: end,
    [Symbol.asyncDispose]: end,
  }
}

/** What a call ended with; the reason of its signal goes before any other. */
const valueOf = <A, E>(exit: Exit.Exit<A, E>, signal: AbortSignal | undefined): A => {
  if (Exit.isSuccess(exit)) return exit.value
  signal?.throwIfAborted()
  throw Cause.squash(exit.cause)
}

/**
 * Calls that are under way, each with a signal of its own. One that is joined of a signal that lives as long as the system
 * (`AbortSignal.any`) would leave a note of every call with that.
 */
const makeCalls = () => {
  const live = new Set<AbortController>()
  let closed: unknown
  return {
    begin: (given: AbortSignal | undefined) => {
      const controller = new AbortController()
      const cancel = () => controller.abort(given?.reason)
      const end = () => {
        live.delete(controller)
        given?.removeEventListener("abort", cancel)
      }
      if (closed !== undefined) controller.abort(closed)
      else if (given?.aborted === true) cancel()
      else {
        live.add(controller)
        given?.addEventListener("abort", cancel, { once: true })
      }
      return { signal: controller.signal, end }
    },
    cancel: (reason: unknown) => {
      closed = reason
      for (const controller of live) controller.abort(reason)
    },
  }
}
