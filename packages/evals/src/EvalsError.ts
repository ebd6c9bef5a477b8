interface Details {
  readonly message: string
  readonly file?: string
  readonly line?: number
  readonly field?: string
  readonly expected?: string
  readonly found?: string
  readonly hint?: string
}

/**
 * What every error of this package carries: a `_tag` to dispatch on and the same field names as the rest of
 * Tandem's errors. The package has no dependency, so these are ordinary `Error`s with those fields.
 */
class EvalsError extends Error {
  readonly file: string | undefined
  readonly line: number | undefined
  readonly field: string | undefined
  readonly expected: string | undefined
  readonly found: string | undefined
  readonly hint: string | undefined

  constructor(details: Details) {
    super(details.message)
    this.file = details.file
    this.line = details.line
    this.field = details.field
    this.expected = details.expected
    this.found = details.found
    this.hint = details.hint
  }
}

/** An answer pattern that is no regular expression. */
export class InvalidPattern extends EvalsError {
  readonly _tag = "InvalidPattern"
  override readonly name = "InvalidPattern"
}

/** A line of a TREC qrels or run file that cannot be read; `line` counts from 1. */
export class InvalidTrecFile extends EvalsError {
  readonly _tag = "InvalidTrecFile"
  override readonly name = "InvalidTrecFile"
}

/** An argument from which no figure can be computed: no values, vectors of different lengths, NaN. */
export class InvalidEvaluation extends EvalsError {
  readonly _tag = "InvalidEvaluation"
  override readonly name = "InvalidEvaluation"
}
