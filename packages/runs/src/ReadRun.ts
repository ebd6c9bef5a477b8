import { fileName, holdsFile, type ReadFiles } from "@tandem/files"
import { Effect, Schema } from "effect"
import { InvalidRunError, RunFolderError } from "./Errors.ts"

/** Whether a run's folder, wherever it lies, has a file. */
export const holds = (run: ReadFiles, path: string): Effect.Effect<boolean, RunFolderError> =>
  reached(run, path, () => holdsFile(run, path))

/** The bytes of a file of a run's folder, wherever it lies; undefined where there is none. */
export const readFile = (run: ReadFiles, path: string): Effect.Effect<Uint8Array | undefined, RunFolderError> =>
  reached(run, path, () => run.read(path))

/** Names of what lies in a folder of a run's, as `ReadFiles` lists them; none where its place lists none. */
export const list = (run: ReadFiles, folder: string): Effect.Effect<readonly string[], RunFolderError> =>
  reached(run, folder, async () => (await run.list?.(folder)) ?? [])

/** Reads JSON of a run's folder, wherever it lies; a file that is missing or no JSON ends in `InvalidRunError`. */
export const readJson = Effect.fnUntraced(function* (
  run: ReadFiles,
  path: string,
): Effect.fn.Return<unknown, InvalidRunError | RunFolderError> {
  const bytes = yield* readFile(run, path)
  const file = fileName(run, path)
  if (bytes === undefined) {
    return yield* new InvalidRunError({ message: `the run folder lacks ${lastOf(path)}`, file, found: "nothing" })
  }
  return yield* Effect.try({
    try: (): unknown => JSON.parse(new TextDecoder().decode(bytes)),
    catch: (cause) => damaged(file, path, cause),
  })
})

/** Reads JSON of a run's folder, wherever it lies, as its schema says; anything else ends in `InvalidRunError`. */
export const readRecord = Effect.fnUntraced(function* <A>(
  run: ReadFiles,
  path: string,
  schema: Schema.Codec<A, unknown>,
): Effect.fn.Return<A, InvalidRunError | RunFolderError> {
  const value = yield* readJson(run, path)
  return yield* Effect.mapError(Schema.decodeUnknownEffect(schema)(value), (cause) =>
    damaged(fileName(run, path), path, cause),
  )
})

const reached = <A>(run: ReadFiles, path: string, body: () => Promise<A>): Effect.Effect<A, RunFolderError> =>
  Effect.tryPromise({
    try: body,
    catch: (cause) =>
      new RunFolderError({
        message: `cannot use the run folder: ${cause instanceof Error ? cause.message : String(cause)}`,
        file: fileName(run, path),
      }),
  })

const damaged = (file: string, path: string, cause: unknown): InvalidRunError =>
  new InvalidRunError({
    message: `${lastOf(path)} of the run folder is not what a run writes: ${reasonOf(cause)}`,
    file,
    hint: "put it back as the run wrote it, or make the run again",
  })

const lastOf = (path: string): string => path.slice(path.lastIndexOf("/") + 1)

/** What went wrong, on one line. */
const reasonOf = (cause: unknown): string =>
  (cause instanceof Error ? cause.message : String(cause)).replace(/\s*\n\s*/g, " ")
