// `npm run build`: builds every package for publishing through turbo, in the order of their dependencies.
import { spawnSync } from "node:child_process"
import { installedProgram } from "./support/Command.ts"
import { root } from "./support/Workspace.ts"

const { status } = spawnSync(
  installedProgram("turbo"),
  ["run", "build", "--output-logs=errors-only", "--log-prefix=none", ...process.argv.slice(2)],
  {
    cwd: root,
    stdio: "inherit",
    shell: process.platform === "win32",
    env: { ...process.env, TURBO_TELEMETRY_DISABLED: "1", TURBO_NO_UPDATE_NOTIFIER: "1", DO_NOT_TRACK: "1" },
  },
)
process.exitCode = status ?? 1
