// Makes a bare clone runnable: installs the locked dependencies once, among them a Node that runs TypeScript sources,
// and runs the given script with that Node. Plain JavaScript without dependencies, because it starts on Node 20 before
// anything is installed.
// Usage: node scripts/setup.mjs [SCRIPT [ARGUMENT…]]
import { spawn, spawnSync } from "node:child_process"
import { createHash } from "node:crypto"
import { existsSync, readFileSync, writeFileSync } from "node:fs"
import { delimiter, dirname, join } from "node:path"
import { fileURLToPath } from "node:url"

const windows = process.platform === "win32"
const root = dirname(dirname(fileURLToPath(import.meta.url)))
const modules = join(root, "node_modules")
const programs = join(modules, ".bin")

install()
const node = findNode()
const [script, ...args] = process.argv.slice(2)
if (script !== undefined) run(script, args)

function install() {
  const marker = join(modules, ".tandem-setup")
  const lock = createHash("sha256")
    .update(readFileSync(join(root, "package-lock.json")))
    .digest("hex")
  if (existsSync(marker) && readFileSync(marker, "utf8") === lock) return
  console.error("Installing dependencies (once) …")
  const result = spawnSync(
    windows ? "npm.cmd" : "npm",
    // Unlike `npm ci`, this keeps what is installed already: another program may be running from it.
    ["install", "--no-save", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"],
    {
      cwd: root,
      // Standard output belongs to the script that runs next.
      stdio: ["ignore", 2, 2],
      shell: windows,
      env: { ...process.env, ONNXRUNTIME_NODE_INSTALL: "skip" },
    },
  )
  if (result.status !== 0) {
    console.error(`error[InstallFailed] npm install did not finish; see its output above, then run the command again`)
    process.exit(4)
  }
  writeFileSync(marker, lock)
}

/** The Node that the installation brought, or the one on the path where no prebuilt package exists for the platform. */
function findNode() {
  const brought = join(programs, windows ? "node.cmd" : "node")
  const command = existsSync(brought) ? brought : process.execPath
  const found = (spawnSync(command, ["--version"], { encoding: "utf8", shell: windows }).stdout ?? "").trim()
  const [major = 0, minor = 0] = found.replace("v", "").split(".").map(Number)
  if (major > 22 || (major === 22 && minor >= 19)) return command
  console.error(`error[NodeTooOld] expected Node >= 22.19, found ${found || "none"}: no prebuilt Node package was`)
  console.error("installed for this platform, so install a current Node and run the command again")
  process.exit(4)
}

function run(script, args) {
  const path = `${programs}${delimiter}${process.env.PATH ?? ""}`
  const child = spawn(node, [script, ...args], {
    cwd: root,
    stdio: "inherit",
    shell: windows,
    env: { ...process.env, PATH: path },
  })
  // Ctrl-C in a terminal reaches the child by itself; a signal sent to this process alone is passed on.
  process.on("SIGINT", () => {})
  process.on("SIGTERM", () => child.kill("SIGTERM"))
  child.on("exit", (code, signal) => {
    process.exitCode = code ?? (signal === "SIGINT" ? 130 : 1)
  })
}
