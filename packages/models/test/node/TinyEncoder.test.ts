import assert from "node:assert/strict"
import { test } from "node:test"
import { Effect } from "effect"
import { tinyEncoder } from "../../src/encoder/TinyEncoder.ts"
import { trainWordPiece } from "../../src/tokenizer/WordPiece.ts"
import { embed, withRuntime } from "../support/Embed.ts"

const vocabulary = trainWordPiece(["the river was long and the long river was wide"], { vocabularySize: 60 })

test("a random encoder embeds texts, and refuses more tokens than it has positions", async () => {
  const encoder = tinyEncoder({ seed: 3, vocabulary, maxLength: 16 })
  assert.deepEqual((await withRuntime(embed(encoder, ["the long river", "wide"]))).dims, [2, 128])
  const error = await withRuntime(Effect.flip(encoder.graph({ batch: 1, tokens: 17 })))
  assert.equal(error._tag, "SequenceTooLong")
})
