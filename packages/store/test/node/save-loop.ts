// Saves stores of different sizes to the folder in argv[2], one after another, until it is killed.
import { Exact } from "@tandem/store"
import { nodeFolder } from "@tandem/store/node/StoreFolder"
import { Effect } from "effect"

const folder = nodeFolder(process.argv[2] ?? "")
const dimension = 64

const generation = (seed: number) => {
  const count = 100 + (seed % 7) * 150
  return {
    identity: { dimension, similarity: "dot" as const, fingerprint: `generation-${seed}` },
    passages: Array.from({ length: count }, (_, i) => ({ id: `${seed}-${i}`, text: `text ${i} of ${seed}` })),
    vectors: new Float32Array(count * dimension).fill(seed),
  }
}

const store = await Effect.runPromise(Exact.make({ dimension, similarity: "dot", fingerprint: "" }))
for (let seed = 1; ; seed++) {
  await Effect.runPromise(Effect.andThen(store.replace(generation(seed)), store.snapshot(folder)))
  process.stdout.write(`${seed}\n`)
}
