// What a run wrote down of its retriever's files, read where listing a folder fails.
import assert from "node:assert/strict"
import { test } from "node:test"
import { filesInMemory } from "@tandem/files"
import { Effect } from "effect"
import { checkRetrieverFiles, retrieverRecord } from "../../src/retrieval/CheckRetrieverFiles.ts"

test("a retriever whose folder cannot be listed is a failure that names it", async () => {
  const record = new TextEncoder().encode(JSON.stringify({ format: 1, files: {} }))
  const run = {
    ...filesInMemory({ [retrieverRecord]: record }, "run"),
    list: () => Promise.reject(new Error("permission denied")),
  }
  const error = await Effect.runPromise(Effect.flip(checkRetrieverFiles(run)))
  assert.equal(error._tag, "RunFolder")
  assert.equal(error.file, "run/retriever")
  assert.match(error.message, /permission denied/)
})
