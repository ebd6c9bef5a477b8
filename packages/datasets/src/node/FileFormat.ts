import type { Effect } from "effect"
import type { DatasetError } from "../Errors.ts"
import type { Format } from "../Format.ts"
import { attempt } from "../internal/node/Attempt.ts"
import { recognise } from "../internal/node/Recognise.ts"

/** The format of a file or folder, judged by how it begins; `UnknownFormatError` where it is none that can be read. */
export const fileFormat = (file: string): Effect.Effect<Format, DatasetError> =>
  attempt(async () => {
    const reading = new AbortController()
    try {
      return (await recognise(file, undefined, reading.signal)).found
    } finally {
      reading.abort()
    }
  })
