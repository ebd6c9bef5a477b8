import { Worker } from "node:worker_threads"
import { type KernelResult, type KernelTask, memoryOf } from "./kernels.ts"

/** A pool of workers for parts of host kernels: gives a task to the one at an index. Workers start when they are needed. */
export const kernelWorkers = (
  count: number,
): ((index: number, task: Omit<KernelTask, "id">) => Promise<KernelResult>) => {
  const workers: (Worker | undefined)[] = Array.from({ length: count })
  const waiting = new Map<number, { done: (result: KernelResult) => void; failed: (cause: Error) => void }>()
  let next = 0
  const start = (): Worker => {
    const url = new URL(
      import.meta.url.endsWith(".ts") ? "../../node/kernelWorker.ts" : "../../node/kernelWorker.js",
      import.meta.url,
    )
    const worker = new Worker(url)
    worker.on("message", (result: KernelResult) => {
      waiting.get(result.id)?.done(result)
      waiting.delete(result.id)
    })
    worker.on("error", (cause) => {
      for (const { failed } of waiting.values()) failed(cause instanceof Error ? cause : new Error(String(cause)))
      waiting.clear()
    })
    worker.unref()
    return worker
  }
  return (index, task) =>
    new Promise((done, failed) => {
      const id = next++
      waiting.set(id, { done, failed })
      const worker = workers[index] ?? start()
      workers[index] = worker
      worker.postMessage({ ...task, id }, memoryOf(task.arrays))
    })
}
