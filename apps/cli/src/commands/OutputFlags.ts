import { Flag } from "effect/cli"

/** `--json`: results as JSON on standard output. */
export const json = Flag.Boolean("json").pipe(
  Flag.withDescription("results as JSON on standard output, one object a line"),
  Flag.withDefault(false),
)

/** `--quiet`: no progress. */
export const quiet = Flag.Boolean("quiet").pipe(
  Flag.withDescription("no progress on standard error"),
  Flag.withDefault(false),
)
