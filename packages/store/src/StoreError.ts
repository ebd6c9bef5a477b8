import { Schema } from "effect"

const details = {
  message: Schema.String,
  file: Schema.optional(Schema.String),
  line: Schema.optional(Schema.Number),
  field: Schema.optional(Schema.String),
  expected: Schema.optional(Schema.String),
  found: Schema.optional(Schema.String),
  hint: Schema.optional(Schema.String),
}

/**
 * What is added, searched with or opened does not belong to this store: `field` is `dimension`, `similarity` or
 * `fingerprint`, with the store's value in `expected` and the other in `found`.
 */
export class StoreMismatchError extends Schema.TaggedError<StoreMismatchError>()("StoreMismatch", details) {}

/** A passage's vector holds NaN or Infinity, or has no direction under cosine; the message names the passage. */
export class InvalidVectorError extends Schema.TaggedError<InvalidVectorError>()("InvalidVector", details) {}

/** A passage id stands twice in what is added, or is in the store already. */
export class DuplicateIdError extends Schema.TaggedError<DuplicateIdError>()("DuplicateId", details) {}

/** An id that the store does not hold. */
export class PassageNotFoundError extends Schema.TaggedError<PassageNotFoundError>()("PassageNotFound", details) {}

/** A search or a setting that makes no sense: k below 1, a query vector with NaN, a dimension of 0. */
export class InvalidRequestError extends Schema.TaggedError<InvalidRequestError>()("InvalidRequest", details) {}

/** A stored folder that is cut off, changed or of another format; `file` names the file. */
export class CorruptStoreError extends Schema.TaggedError<CorruptStoreError>()("CorruptStore", details) {}

/** The place that holds a store cannot be read or written: missing, no permission, disk full, connection lost. */
export class StoreAccessError extends Schema.TaggedError<StoreAccessError>()("StoreAccess", details) {}

/** The engine beneath a store failed, for want of memory as a rule; the store is as it was. */
export class IndexFailureError extends Schema.TaggedError<IndexFailureError>()("IndexFailure", details) {}

/** The package of a store's engine is not installed, or has no binary for this platform; `hint` says what to install. */
export class EngineUnavailableError extends Schema.TaggedError<EngineUnavailableError>()(
  "EngineUnavailable",
  details,
) {}

/** Everything that adding can meet. */
export type AddError =
  | StoreMismatchError
  | InvalidVectorError
  | DuplicateIdError
  | InvalidRequestError
  | IndexFailureError
  | StoreAccessError

/** Everything that searching can meet. */
export type SearchError = StoreMismatchError | InvalidRequestError | IndexFailureError | StoreAccessError

/** Everything that looking up by id can meet. */
export type GetError = PassageNotFoundError | StoreAccessError

/** Everything that opening a folder can meet. */
export type OpenError = AddError | CorruptStoreError
