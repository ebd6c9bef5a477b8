import { dprTrainApp } from "@tandem/dpr/TrainApp"
import { lsrTrainApp } from "@tandem/dual/lsr/LsrTrainApp"
import { raltTrainApp } from "@tandem/dual/TrainApp"
import { jointTrainApp } from "@tandem/joint/TrainApp"
import { settingsOf } from "@tandem/runs/Setting"
import { flagOf } from "./TrainFlags.ts"

/** The flags of all settings of all apps by their keys, `tiny.hidden` within a group. */
const flags: ReadonlyMap<string, string> = new Map(
  [dprTrainApp, raltTrainApp, lsrTrainApp, jointTrainApp]
    .flatMap(({ schema }) => Object.entries(settingsOf(schema)))
    .flatMap(([key, { kind, fields = {} }]): readonly (readonly [string, string])[] =>
      kind === "group"
        ? Object.keys(fields).map((inner) => [`${key}.${inner}`, flagOf(inner, key)] as const)
        : [[key, flagOf(key)] as const],
    ),
)

/** Words of a library, which name settings as `batchSize`, as words of the command line: `--batch-size`. */
export const withFlags = (text: string): string =>
  text.replace(/`([A-Za-z]+(?:\.[A-Za-z]+)?)`/g, (written, key: string) => {
    const flag = flags.get(key)
    return flag === undefined ? written : `--${flag}`
  })
