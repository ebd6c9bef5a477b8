// As many requests as a data pipeline makes, by as many hands, and nothing else: what saturation is measured by.
import { answer } from "../support/Answer.ts"
import type { DatagenBenchSettings } from "../support/DatagenSettings.ts"

const { baseUrl, items, concurrency }: DatagenBenchSettings = JSON.parse(process.argv[2] ?? "{}")
const body = JSON.stringify({ model: "small", messages: [{ role: "user", content: "Is it fit?" }] })
const request = { method: "POST", headers: { "content-type": "application/json" }, body }

await answer(async () => {
  const started = performance.now()
  let left = 2 * items
  const hand = async (): Promise<void> => {
    while (left-- > 0) await (await fetch(`${baseUrl}/chat/completions`, request)).text()
  }
  await Promise.all(Array.from({ length: concurrency }, hand))
  return { seconds: (performance.now() - started) / 1000, values: [items, items] }
})
