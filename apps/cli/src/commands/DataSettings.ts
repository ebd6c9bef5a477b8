import type { DatagenSettings, InvalidDatagenSettings } from "@tandem/datagen"
import { Flag } from "effect/cli"
import * as Effect from "effect/Effect"
import { readConfig } from "../ConfigFile.ts"
import type { InvalidConfig } from "../Errors.ts"

/** `--config F` of commands on a pipeline's data. */
export const dataConfig = Flag.String("config").pipe(
  Flag.withMetavar("F"),
  Flag.withDescription("the pipeline's settings, a YAML or JSON file"),
)

/** The settings of a pipeline out of their file. */
export const dataSettings = Effect.fnUntraced(function* (
  file: string,
): Effect.fn.Return<DatagenSettings, InvalidConfig | InvalidDatagenSettings> {
  const { readDatagenSettings } = yield* Effect.promise(() => import("@tandem/datagen"))
  return yield* readDatagenSettings(yield* readConfig(file), file)
})
