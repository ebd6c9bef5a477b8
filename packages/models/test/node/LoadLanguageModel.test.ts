import assert from "node:assert/strict"
import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { after, test } from "node:test"
import { Effect } from "effect"
import { tinyDecoder } from "../../src/decoder/TinyDecoder.ts"
import { openLanguageModel } from "../../src/node/LoadLanguageModel.ts"
import { saveLanguageModel } from "../../src/node/SaveLanguageModel.ts"
import { tinySeq2Seq } from "../../src/seq2seq/TinySeq2Seq.ts"
import { trainWordPiece } from "../../src/tokenizer/WordPiece.ts"

const scratch = await mkdtemp(join(tmpdir(), "language-model-"))
after(() => rm(scratch, { recursive: true, force: true }))

const vocabulary = trainWordPiece(["the river was long", "the long river"], { vocabularySize: 60 })

for (const model of [tinyDecoder({ seed: 3, vocabulary, hidden: 32 }), tinySeq2Seq({ seed: 3, vocabulary })]) {
  test(`a ${model.kind} is saved and opened as one`, async () => {
    const directory = join(scratch, model.kind)
    await Effect.runPromise(saveLanguageModel(directory, model, model.parameters, { types: ["fp32"] }))
    const again = await Effect.runPromise(openLanguageModel(directory))
    assert.equal(again.kind, model.kind)
    assert.deepEqual(new Map([...again.parameters].sort()), new Map([...model.parameters].sort()))
    assert.deepEqual(again.endTokenIds, model.endTokenIds)
    assert.equal(again.padTokenId, model.padTokenId)
    assert.equal(again.maxLength, model.maxLength)
  })
}

test("what is neither a folder nor a hub id ends in InvalidLanguageModel", async () => {
  const error = await Effect.runPromise(Effect.flip(openLanguageModel("./no/such/folder")))
  assert.equal(error._tag, "InvalidLanguageModel")
})
