// Makes a bare clone runnable: installs the locked dependencies once, including a Node that runs TypeScript sources.
// Plain JavaScript without dependencies, because it must run on Node 20 before anything is installed.
import { spawnSync } from "node:child_process"
import { createHash } from "node:crypto"
import { existsSync, readFileSync, writeFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const marker = join(root, "node_modules", ".tandem-setup")
const lock = createHash("sha256").update(readFileSync(join(root, "package-lock.json"))).digest("hex")

if (!existsSync(marker) || readFileSync(marker, "utf8") !== lock) {
  console.error("Installing dependencies (once) …")
  const npm = process.platform === "win32" ? "npm.cmd" : "npm"
  const result = spawnSync(npm, ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"], {
    cwd: root,
    stdio: ["ignore", "inherit", "inherit"],
    shell: process.platform === "win32",
    env: { ...process.env, ONNXRUNTIME_NODE_INSTALL: "skip" },
  })
  if (result.status !== 0) {
    console.error("error[InstallFailed] npm ci did not finish; see its output above, then run the command again")
    process.exit(4)
  }
  writeFileSync(marker, lock)
}

const node = spawnSync("node", ["--version"], { encoding: "utf8", shell: process.platform === "win32" })
const [major = 0, minor = 0] = (node.stdout ?? "").replace("v", "").split(".").map(Number)
if (major < 22 || (major === 22 && minor < 19)) {
  console.error(`error[NodeTooOld] expected Node >= 22.19, found ${node.stdout?.trim() || "none"}: no prebuilt Node`)
  console.error("package exists for this platform, so install a current Node and run the command through npm again")
  process.exit(4)
}
