import { Worker } from "node:worker_threads"
import { type Errand, type ErrandDone, memoryOf } from "./kernels.ts"

/** Sends work to a number of helping threads, which are started when they are first needed. */
export const makeHands = (count: number): ((index: number, errand: Omit<Errand, "id">) => Promise<ErrandDone>) => {
  const hands: (Worker | undefined)[] = Array.from({ length: count })
  const waiting = new Map<number, { done: (result: ErrandDone) => void; failed: (cause: Error) => void }>()
  let next = 0
  const start = (): Worker => {
    const url = new URL(import.meta.url.endsWith(".ts") ? "../../node/hand.ts" : "../../node/hand.js", import.meta.url)
    const worker = new Worker(url)
    worker.on("message", (result: ErrandDone) => {
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
  return (index, errand) =>
    new Promise((done, failed) => {
      const id = next++
      waiting.set(id, { done, failed })
      const hand = hands[index] ?? start()
      hands[index] = hand
      hand.postMessage({ ...errand, id }, memoryOf(errand.arrays))
    })
}
