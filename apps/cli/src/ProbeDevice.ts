import { layer } from "@tandem/runtime/node/NodeRuntime"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import { reportCause } from "./ErrorReport.ts"

// Tries one device and prints what came of it as JSON. A process of its own, because a driver may end its process.
const [device] = process.argv.slice(2)
const known = (["cpu", "webgpu", "cuda"] as const).find((name) => name === device)
if (known === undefined) throw new Error(`no device is called ${device}`)
const exit = await Effect.runPromiseExit(Effect.scoped(Layer.build(layer({ device: known, threads: 1 }))))
const report = Exit.isSuccess(exit) ? undefined : reportCause(exit.cause)
const result = report === undefined ? { usable: true } : { usable: false, reason: report.message, hint: report.hint }
process.stdout.write(`${JSON.stringify(result)}\n`, () => process.exit(0))
