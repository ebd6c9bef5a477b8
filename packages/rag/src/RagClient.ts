import { Cause, Effect, Exit, Scope, Stream } from "effect"
import type { Answer, AskEvent, AskOptions, EmbedAs, RagFacts, RagSystem, Source } from "./RagSystem.ts"

/** What every call can be cancelled by. */
export interface Cancellable {
  readonly signal?: AbortSignal
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
  readonly countTokens: (
    texts: readonly string[],
    options: { readonly as: EmbedAs } & Cancellable,
  ) => Promise<readonly number[]>
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
    return clientOf(await run(Scope.provide(open, scope), signal), end)
  } catch (cause) {
    await end()
    throw cause
  }
}

/** The promise face of a system; `close` gives back what it is made of. */
export const clientOf = (system: RagSystem, close: () => Promise<void> = async () => {}): RagClient => {
  const closing = new AbortController()
  const either = (signal: AbortSignal | undefined): AbortSignal =>
    signal === undefined ? closing.signal : AbortSignal.any([signal, closing.signal])
  const end = async () => {
    closing.abort(new Error("the system was closed"))
    await close()
  }
  return {
    facts: system.facts,
    retrieve: (question, { signal, ...options } = {}) => run(system.retrieve(question, options), either(signal)),
    embed: (texts, { signal, ...options }) => run(system.embed(texts, options), either(signal)),
    countTokens: (texts, { signal, ...options }) => run(system.countTokens(texts, options), either(signal)),
    ask: (question, { signal, ...options } = {}) => run(system.ask(question, options), either(signal)),
    askStream: (question, { signal, ...options } = {}) =>
      Stream.toAsyncIterable(Stream.interruptWhen(system.askStream(question, options), aborted(either(signal)))),
    askBatch: (questions, { signal, ...options } = {}) => run(system.askBatch(questions, options), either(signal)),
    close: end,
    [Symbol.asyncDispose]: end,
  }
}

const run = async <A, E>(effect: Effect.Effect<A, E>, signal: AbortSignal | undefined): Promise<A> => {
  signal?.throwIfAborted()
  const exit = await Effect.runPromiseExit(effect, signal === undefined ? {} : { signal })
  if (Exit.isSuccess(exit)) return exit.value
  signal?.throwIfAborted()
  throw Cause.squash(exit.cause)
}

/** Dies with the signal's reason, once it is aborted. */
const aborted = (signal: AbortSignal): Effect.Effect<never> =>
  Effect.callback((resume) => {
    const tell = () => resume(Effect.die(signal.reason))
    if (signal.aborted) return tell()
    signal.addEventListener("abort", tell, { once: true })
    return Effect.sync(() => signal.removeEventListener("abort", tell))
  })
