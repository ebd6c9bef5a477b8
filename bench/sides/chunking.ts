// A folder of documents, read and divided: what is compared are the characters that stand in chunks.
import { countBy, isProblem, makeChunker } from "@tandem/documents"
import { readDocuments } from "@tandem/documents/node/ReadDocuments"
import { loadTokenizer } from "@tandem/models/node/LoadTokenizer"
import { Effect, Stream } from "effect"
import { answer } from "../support/Answer.ts"
import type { ChunkingSettings } from "../support/ChunkingSettings.ts"

const { folder, model, maxTokens }: ChunkingSettings = JSON.parse(process.argv[2] ?? "{}")
const tokenizer = await Effect.runPromise(loadTokenizer(model))

await answer(async () => {
  const started = performance.now()
  const chunk = makeChunker({ maxTokens, countTokens: countBy(tokenizer) })
  const texts: string[] = []
  const read = Stream.runForEach(readDocuments(folder), (item) =>
    Effect.sync(() => {
      if (isProblem(item)) throw item
      for (const { text } of chunk(item)) texts.push(text)
    }),
  )
  await Effect.runPromise(read)
  const seconds = (performance.now() - started) / 1000
  return { seconds, values: [texts.reduce((sum, text) => sum + text.replaceAll(/\s+/g, "").length, 0)] }
})
