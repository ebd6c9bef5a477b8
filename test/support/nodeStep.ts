// Runs a training step on onnxruntime-node and prints what it came to as JSON. A process of its own: a driver is chosen by
// the environment that a process starts with, and may end it.
// Usage: node nodeStep.ts cpu|webgpu STEP
import { layer } from "@tandem/runtime/node/NodeRuntime"
import { Effect } from "effect"
import { isStepName, runStep } from "./portable/Steps.ts"

const [device, name = ""] = process.argv.slice(2)
const known = (["cpu", "webgpu"] as const).find((each) => each === device)
if (known === undefined || !isStepName(name)) throw new Error("usage: nodeStep.ts cpu|webgpu STEP")
const result = await Effect.runPromise(runStep(name).pipe(Effect.provide(layer({ device: known, threads: 1 }))))
console.log(JSON.stringify(result))
