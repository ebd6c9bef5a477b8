// Sets up the Python environment of the benchmarks' peers: bench/peers/.venv, from requirements.txt.
// `npm run bench:peers`; $PYTHON names another interpreter than python3.
import { spawnSync } from "node:child_process"
import { existsSync } from "node:fs"
import { fileURLToPath } from "node:url"

const folder = fileURLToPath(new URL(".", import.meta.url))
const venv = `${folder}.venv`
const run = (command, ...args) => {
  const { status, error } = spawnSync(command, args, { stdio: "inherit" })
  if (status !== 0) {
    console.error(`error[Peers] ${command} ${args.join(" ")}: ${error?.message ?? `exit code ${status}`}`)
    process.exit(4)
  }
}
if (!existsSync(`${venv}/bin/python`)) run(process.env.PYTHON ?? "python3", "-m", "venv", venv)
run(`${venv}/bin/python`, "-m", "pip", "install", "--quiet", "-r", `${folder}requirements.txt`)
console.log("the benchmarks' peers are ready: npm run bench")
