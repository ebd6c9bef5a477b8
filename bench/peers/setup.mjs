// Sets up the Python environments of the benchmarks' peers: bench/peers/.venv from requirements.txt, and .venv-onnx from
// requirements-onnx.txt.
// `npm run bench:peers`; $PYTHON names another interpreter than python3.
import { spawnSync } from "node:child_process"
import { existsSync, writeFileSync } from "node:fs"
import { fileURLToPath } from "node:url"

const here = fileURLToPath(new URL(".", import.meta.url))
const run = (command, ...args) => {
  const { status, error } = spawnSync(command, args, { stdio: "inherit" })
  if (status !== 0) {
    console.error(`error[Peers] ${command} ${args.join(" ")}: ${error?.message ?? `exit code ${status}`}`)
    process.exit(4)
  }
}
const environment = (folder, requirements, shared) => {
  if (!existsSync(`${folder}/bin/python`)) run(process.env.PYTHON ?? "python3", "-m", "venv", folder)
  const packages = (of) =>
    spawnSync(`${of}/bin/python`, ["-c", "import site; print(site.getsitepackages()[0])"], {
      encoding: "utf8",
    }).stdout.trim()
  // Packages that the other environment has are not installed again, where their version serves.
  if (shared !== undefined) writeFileSync(`${packages(folder)}/shared.pth`, `${packages(shared)}\n`)
  run(`${folder}/bin/python`, "-m", "pip", "install", "--quiet", "-r", `${here}${requirements}`)
}
environment(`${here}.venv`, "requirements.txt")
environment(`${here}.venv-onnx`, "requirements-onnx.txt", `${here}.venv`)
console.log("the benchmarks' peers are ready: npm run bench")
