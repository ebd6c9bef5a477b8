import { existsSync, readFileSync } from "node:fs"

/**
 * The process' peak of resident memory so far, in MiB. Where the system tells it, that of the program alone: the figure
 * that every system has begins with what the process that started it had.
 */
export const peakMemoryMiB = (): number => {
  const own = existsSync("/proc/self/status") ? readFileSync("/proc/self/status", "utf8") : ""
  const kibibytes = /^VmHWM:\s+(\d+) kB$/m.exec(own)?.[1]
  return (kibibytes === undefined ? process.resourceUsage().maxRSS : Number(kibibytes)) / 1024
}
