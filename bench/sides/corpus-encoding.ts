// Texts to embeddings as `tandem dpr` indexes a corpus: tokenizing, batches of similar length, the encoder, pooling.
import { loadEncoder } from "@tandem/models/node/LoadEncoder"
import { makeTextEncoder, towerOf } from "@tandem/retriever"
import { Effect } from "effect"
import { answer } from "../support/Answer.ts"
import { type CorpusEncodingSettings, readTexts } from "../support/CorpusTexts.ts"
import { type SideRuntimeSettings, sideRuntime } from "../support/SideRuntime.ts"

const settings: CorpusEncodingSettings & SideRuntimeSettings = JSON.parse(process.argv[2] ?? "{}")

const main = Effect.gen(function* () {
  const encoder = yield* loadEncoder(settings.model, {
    prefer: settings.format,
    maxLength: settings.maxLength,
  })
  const texts = yield* makeTextEncoder(towerOf(encoder), { batchSize: settings.batchSize })
  const parts = readTexts(settings)
  let done = 0
  const run = (): Promise<Float32Array> => Effect.runPromise(texts.encode(parts[done++] ?? [], "passage"))
  yield* Effect.promise(run)
  yield* Effect.promise(() =>
    answer(async () => {
      const started = performance.now()
      const vectors = await run()
      const seconds = (performance.now() - started) / 1000
      return { seconds, values: [...vectors.subarray(0, settings.compared * texts.dimension)] }
    }),
  )
})
await Effect.runPromise(Effect.scoped(main).pipe(Effect.provide(sideRuntime(settings))))
