import { Flag } from "effect/cli"
import { maybe } from "./RunFlags.ts"

/** `--config F` of commands that train. */
export const config = maybe(
  Flag.String("config").pipe(
    Flag.withMetavar("F"),
    Flag.withDescription("settings from a YAML or JSON file; flags override them"),
  ),
)
