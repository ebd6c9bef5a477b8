import { packageVersion } from "@tandem/files/node/PackageVersion"
import { runCommandLine } from "./CommandLine.ts"
import { guardStreams } from "./Console.ts"

/** Runs the command that the process was started with, and ends the process. */
export const start = async (): Promise<void> => {
  guardStreams()
  const code = await runCommandLine(process.argv.slice(2), packageVersion(import.meta.url) ?? "unknown")
  // Not before what was written has gone out: a pipe's reader may be slow.
  process.stdout.write("", () => process.stderr.write("", () => process.exit(code)))
}
