import { type DatasetError, isDatasetError, UnwritableFileError } from "@tandem/datasets"
import { InvalidTemplate } from "@tandem/generator"
import { Effect } from "effect"

/** Runs work on files; what is wrong with data and templates becomes a failure, all else is a defect. */
export const attempt = <A>(work: () => Promise<A>): Effect.Effect<A, DatasetError | InvalidTemplate> =>
  Effect.tryPromise({ try: work, catch: (cause) => cause }).pipe(
    Effect.catch((cause) =>
      isDatasetError(cause) || cause instanceof InvalidTemplate ? Effect.fail(cause) : Effect.die(cause),
    ),
  )

/** Runs what writes a file; what the system refuses ends in `UnwritableFileError`. */
export const writing = async <A>(file: string, write: () => Promise<A>): Promise<A> => {
  try {
    return await write()
  } catch (cause) {
    if (!(cause instanceof Error && "code" in cause) || isDatasetError(cause)) throw cause
    throw new UnwritableFileError({
      message: `${file} cannot be written: ${cause.message}`,
      file,
      found: cause.message,
    })
  }
}
