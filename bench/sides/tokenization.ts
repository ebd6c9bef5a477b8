// Texts to token ids, padded, as batches are made.
import { loadTokenizer } from "@tandem/models/node/LoadTokenizer"
import { Effect } from "effect"
import { answer } from "../support/Answer.ts"
import { readTexts, type TextSettings } from "../support/CorpusTexts.ts"

const settings: TextSettings = JSON.parse(process.argv[2] ?? "{}")
const tokenizer = await Effect.runPromise(loadTokenizer(settings.model))
const parts = readTexts(settings)
let done = 0
const encode = () => tokenizer.encodeBatch(parts[done++] ?? [], { maxLength: settings.maxLength })
encode()
await answer(async () => {
  const started = performance.now()
  const { ids, mask } = encode()
  const seconds = (performance.now() - started) / 1000
  const real = ids.filter((_, index) => mask[index] === 1)
  return { seconds, values: [real.length, real.reduce((sum, id) => sum + id, 0)] }
})
