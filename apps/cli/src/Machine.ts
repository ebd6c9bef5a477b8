import { spawn } from "node:child_process"
import { readFileSync } from "node:fs"
import { statfs } from "node:fs/promises"
import { createRequire } from "node:module"
import { availableParallelism, cpus, freemem, totalmem } from "node:os"
import { fileURLToPath } from "node:url"
import { isMapping } from "./ConfigFile.ts"

/** Whether models can run on a device, and if not, why and how to get there. */
export interface DeviceReport {
  readonly usable: boolean
  readonly reason?: string
  readonly hint?: string
}

/** What training finds on this machine. */
export interface MachineReport {
  readonly runtime: { readonly name: "node" | "bun" | "deno"; readonly version: string }
  readonly platform: string
  readonly onnxruntime: string | null
  readonly processor: string
  readonly cores: number
  readonly memoryMiB: number
  readonly freeMemoryMiB: number
  /** On the disk of the current folder. */
  readonly freeDiskMiB: number | null
  readonly devices: Readonly<Record<Device, DeviceReport>>
}

const devices = ["cpu", "webgpu", "cuda"] as const
type Device = (typeof devices)[number]

const versions: Readonly<Record<string, string | undefined>> = process.versions

const mebibytes = (bytes: number): number => Math.round(bytes / 2 ** 20)

/** Looks at the machine; tries every device. */
export const describeMachine = async (): Promise<MachineReport> => {
  const { bun, deno, node = "unknown" } = versions
  const disk = await statfs(process.cwd()).catch(() => undefined)
  const [cpu, webgpu, cuda] = await Promise.all(devices.map(probeDevice))
  const unknown = { usable: false }
  return {
    runtime:
      bun !== undefined
        ? { name: "bun", version: bun }
        : deno !== undefined
          ? { name: "deno", version: deno }
          : { name: "node", version: node },
    platform: `${process.platform}-${process.arch}`,
    onnxruntime: onnxRuntimeVersion() ?? null,
    processor: cpus()[0]?.model ?? "unknown",
    cores: availableParallelism(),
    memoryMiB: mebibytes(totalmem()),
    freeMemoryMiB: mebibytes(freemem()),
    freeDiskMiB: disk === undefined ? null : mebibytes(disk.bavail * disk.bsize),
    devices: { cpu: cpu ?? unknown, webgpu: webgpu ?? unknown, cuda: cuda ?? unknown },
  }
}

/** The version of the onnxruntime-node that `@tandem/runtime` uses. */
const onnxRuntimeVersion = (): string | undefined => {
  try {
    const require = createRequire(import.meta.resolve("@tandem/runtime/node/NodeRuntime"))
    const manifest: unknown = JSON.parse(readFileSync(require.resolve("onnxruntime-node/package.json"), "utf8"))
    return isMapping(manifest) ? String(manifest["version"]) : undefined
  } catch {
    return undefined
  }
}

const probeDevice = (device: Device): Promise<DeviceReport> =>
  new Promise((resolve) => {
    const script = fileURLToPath(new URL("./ProbeDevice.ts", import.meta.url))
    const args = versions["deno"] === undefined ? [] : ["run", "-A"]
    const child = spawn(process.execPath, [...args, script, device], { stdio: ["ignore", "pipe", "ignore"] })
    let output = ""
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      output += text
    })
    child.on("error", (cause) => resolve({ usable: false, reason: cause.message }))
    child.on("close", (code, signal) => {
      const ended = signal === null ? `ended with code ${code}` : `was ended by ${signal}`
      resolve(readReport(output) ?? { usable: false, reason: `trying it ${ended}` })
    })
  })

/** The report of a probe: its last line, because drivers print, too. */
const readReport = (output: string): DeviceReport | undefined => {
  try {
    const value: unknown = JSON.parse(output.trim().split("\n").at(-1) ?? "")
    if (!isMapping(value) || typeof value["usable"] !== "boolean") return undefined
    const { usable, reason, hint } = value
    return {
      usable,
      ...(typeof reason === "string" ? { reason: reason.trim() } : {}),
      ...(typeof hint === "string" ? { hint } : {}),
    }
  } catch {
    return undefined
  }
}
