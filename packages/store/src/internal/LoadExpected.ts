import { Effect } from "effect"
import { checkIdentity } from "../StoreChecks.ts"
import type { LoadedContents, StoreFolder, StoreIdentity } from "../StoreContents.ts"
import type { CorruptStoreError, StoreAccessError, StoreMismatchError } from "../StoreError.ts"

/** Loads a folder and compares its identity with what is expected. */
export const loadExpected = (
  folder: StoreFolder,
  expected: Partial<StoreIdentity>,
): Effect.Effect<LoadedContents, StoreMismatchError | CorruptStoreError | StoreAccessError> =>
  Effect.flatMap(folder.load, (loaded) => {
    const error = checkIdentity(expected, loaded.contents.identity, folder.location)
    return error === undefined ? Effect.succeed(loaded) : Effect.fail(error)
  })
