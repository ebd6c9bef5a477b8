/** Lets one part of a program wait at the end of each turn until another lets it begin the next. */
export class Turns {
  #ended = Promise.withResolvers<void>()
  #begun = Promise.withResolvers<void>()

  /** The worker's turn is over; settles when the next begins. */
  end(): Promise<void> {
    this.#begun = Promise.withResolvers<void>()
    this.#ended.resolve()
    return this.#begun.promise
  }

  /** Settles when the worker's turn is over. */
  ended(): Promise<void> {
    return this.#ended.promise
  }

  begin(): void {
    this.#ended = Promise.withResolvers<void>()
    this.#begun.resolve()
  }
}
