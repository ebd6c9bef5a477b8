import { Schema } from "effect"

const where = {
  message: Schema.String,
  file: Schema.optional(Schema.String),
  line: Schema.optional(Schema.Number),
  field: Schema.optional(Schema.String),
  expected: Schema.optional(Schema.String),
  found: Schema.optional(Schema.String),
  hint: Schema.optional(Schema.String),
}

/** A path that cannot be opened or read. */
export class UnreadableFileError extends Schema.TaggedError<UnreadableFileError>()("UnreadableFile", where) {}

/** A path that cannot be written. */
export class UnwritableFileError extends Schema.TaggedError<UnwritableFileError>()("UnwritableFile", where) {}

/** A file without content. */
export class EmptyFileError extends Schema.TaggedError<EmptyFileError>()("EmptyFile", where) {}

/** A file that starts as gzip data and does not go on as such, or is cut off. */
export class InvalidGzipError extends Schema.TaggedError<InvalidGzipError>()("InvalidGzip", where) {}

/** A file that starts as Parquet and does not go on as such. */
export class InvalidParquetError extends Schema.TaggedError<InvalidParquetError>()("InvalidParquet", where) {}

/** Bytes that are not UTF-8. */
export class InvalidUtf8Error extends Schema.TaggedError<InvalidUtf8Error>()("InvalidUtf8", where) {}

/** JSON that stops before its last bracket. */
export class TruncatedJsonError extends Schema.TaggedError<TruncatedJsonError>()("TruncatedJson", where) {}

/** Text that is not JSON where JSON has to stand. */
export class InvalidJsonError extends Schema.TaggedError<InvalidJsonError>()("InvalidJson", where) {}

/** Content that no reader knows, or that the asked reader cannot serve. */
export class UnknownFormatError extends Schema.TaggedError<UnknownFormatError>()("UnknownFormat", where) {}

/** A row that lacks a field or holds a wrong value in one. */
export class InvalidRowError extends Schema.TaggedError<InvalidRowError>()("InvalidRow", where) {}

/** No row is left that training could use. */
export class NoExamplesError extends Schema.TaggedError<NoExamplesError>()("NoExamples", where) {}

/** An example names a passage that the corpus lacks. */
export class UnknownPassageError extends Schema.TaggedError<UnknownPassageError>()("UnknownPassage", where) {}

/** One passage id stands for two different texts. */
export class DuplicatePassageError extends Schema.TaggedError<DuplicatePassageError>()("DuplicatePassage", where) {}

/** Everything that can go wrong while data are read. */
export type DatasetError =
  | UnreadableFileError
  | EmptyFileError
  | InvalidGzipError
  | InvalidParquetError
  | InvalidUtf8Error
  | TruncatedJsonError
  | InvalidJsonError
  | UnknownFormatError
  | InvalidRowError
  | NoExamplesError
  | UnknownPassageError
  | DuplicatePassageError

const classes = [
  UnreadableFileError,
  EmptyFileError,
  InvalidGzipError,
  InvalidParquetError,
  InvalidUtf8Error,
  TruncatedJsonError,
  InvalidJsonError,
  UnknownFormatError,
  InvalidRowError,
  NoExamplesError,
  UnknownPassageError,
  DuplicatePassageError,
]

/** Whether a thrown value is one of the errors of this package's readers. */
export const isDatasetError = (error: unknown): error is DatasetError =>
  classes.some((constructor) => error instanceof constructor)
