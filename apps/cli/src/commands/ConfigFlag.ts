import { Flag } from "effect/cli"

/** `--config F` of commands that train. */
export const config = Flag.String("config").pipe(
  Flag.withMetavar("F"),
  Flag.withDescription("settings from a YAML or JSON file; flags override them"),
  Flag.map((file): string | undefined => file),
  Flag.withDefault(undefined),
)
