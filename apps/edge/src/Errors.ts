import { Schema } from "effect"

const details = {
  message: Schema.String,
  file: Schema.optional(Schema.String),
  field: Schema.optional(Schema.String),
  expected: Schema.optional(Schema.String),
  found: Schema.optional(Schema.String),
  hint: Schema.optional(Schema.String),
}

/** An address that cannot be listened on. */
export class AddressUnavailableError extends Schema.TaggedError<AddressUnavailableError>()(
  "AddressUnavailable",
  details,
) {}

/** An environment variable that is to hold a key, and holds none that protects anything. */
export class InvalidKeyError extends Schema.TaggedError<InvalidKeyError>()("InvalidKey", details) {}
