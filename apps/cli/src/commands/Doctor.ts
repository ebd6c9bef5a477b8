import { Command } from "effect/cli"
import * as Effect from "effect/Effect"
import { printJson, printLine } from "../Console.ts"
import { DoctorFailed } from "../Errors.ts"
import type { MachineReport } from "../Machine.ts"
import { quantity } from "../ProgressText.ts"
import { json } from "./OutputFlags.ts"

/** `tandem doctor` */
export const doctor = Command.make(
  "doctor",
  { json },
  Effect.fnUntraced(function* (flags) {
    const { describeMachine } = yield* Effect.promise(() => import("../Machine.ts"))
    const machine = yield* Effect.promise(describeMachine)
    const { cpu } = machine.devices
    if (flags.json) printJson({ ok: cpu.usable, ...machine })
    else printLine(describe(machine))
    if (!cpu.usable) {
      return yield* new DoctorFailed({
        message: `models cannot run on the CPU: ${cpu.reason ?? "unknown reason"}`,
        field: "cpu",
        ...(cpu.hint === undefined ? {} : { hint: cpu.hint }),
      })
    }
  }),
).pipe(Command.withDescription("Say what this machine can train on"))

const describe = (machine: MachineReport): string => {
  const { runtime, onnxruntime, freeDiskMiB } = machine
  const rows: readonly (readonly [string, string])[] = [
    ["runs on", `${runtime.name} ${runtime.version}, ${machine.platform}`],
    ["onnxruntime-node", onnxruntime ?? "not found"],
    ["processor", `${machine.processor}, ${machine.cores} cores`],
    ["memory", `${quantity(machine.memoryMiB)} MiB, ${quantity(machine.freeMemoryMiB)} MiB free`],
    ["disk here", freeDiskMiB === null ? "unknown" : `${quantity(freeDiskMiB)} MiB free`],
    ...Object.entries(machine.devices).map(([name, { usable, reason, hint }]): [string, string] => [
      `--device ${name}`,
      usable
        ? "works"
        : [`no: ${reason ?? "unknown reason"}`, ...(hint === undefined ? [] : [`to get it: ${hint}`])].join("\n"),
    ]),
  ]
  return rows.map(([name, value]) => `${name.padEnd(18)}${value.replaceAll("\n", `\n${" ".repeat(18)}`)}`).join("\n")
}
