// The paragraphs of a folder of documents as token ids, and nothing else: what chunking is measured by.
import { isProblem } from "@tandem/documents"
import { readDocuments } from "@tandem/documents/node/ReadDocuments"
import { loadTokenizer } from "@tandem/models/node/LoadTokenizer"
import { Effect, Stream } from "effect"
import { answer } from "../support/Answer.ts"
import type { ChunkingSettings } from "../support/ChunkingSettings.ts"

const { folder, model }: ChunkingSettings = JSON.parse(process.argv[2] ?? "{}")
const tokenizer = await Effect.runPromise(loadTokenizer(model))
const paragraphs: string[] = []
await Effect.runPromise(
  Stream.runForEach(readDocuments(folder), (item) =>
    Effect.sync(() => {
      if (isProblem(item)) throw item
      paragraphs.push(...item.text.split("\n\n"))
    }),
  ),
)

await answer(async () => {
  const started = performance.now()
  let tokens = 0
  for (const text of paragraphs) tokens += tokenizer.encode(text, { specialTokens: false }).ids.length
  return { seconds: (performance.now() - started) / 1000, values: [tokens] }
})
