// A thread that helps the runtime's own with host kernels: arrays come in by moving and go back the same way.
import { parentPort } from "node:worker_threads"
import { type KernelResult, type KernelTask, memoryOf, runKernel } from "../internal/node/kernels.ts"

const port = parentPort
if (port === null) throw new Error("this module is the entry of a worker thread")
port.on("message", async ({ id, module, name, arrays, argument }: KernelTask) => {
  const reply: KernelResult = await runKernel(module, name, arrays, argument).then(
    (value): KernelResult => ({ id, arrays, ok: true, value }),
    (cause: unknown): KernelResult => ({
      id,
      arrays,
      ok: false,
      message: cause instanceof Error ? cause.message : String(cause),
    }),
  )
  port.postMessage(reply, memoryOf(arrays))
})
