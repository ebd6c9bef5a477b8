// The paragraphs of a folder of documents as token ids, and nothing else: what chunking is measured by.
import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { loadTokenizer } from "@tandem/models/node/LoadTokenizer"
import { Effect } from "effect"
import { answer } from "../support/Answer.ts"
import type { ChunkingSettings } from "../support/ChunkingSettings.ts"

const { folder, model }: ChunkingSettings = JSON.parse(process.argv[2] ?? "{}")
const tokenizer = await Effect.runPromise(loadTokenizer(model))
const paragraphs = readdirSync(folder).flatMap((name) => readFileSync(join(folder, name), "utf8").split("\n\n"))

await answer(async () => {
  const started = performance.now()
  let tokens = 0
  for (const text of paragraphs) tokens += tokenizer.encode(text, { specialTokens: false }).ids.length
  return { seconds: (performance.now() - started) / 1000, values: [tokens] }
})
