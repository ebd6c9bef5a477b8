import assert from "node:assert/strict"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { after, test } from "node:test"
import { readDatagenSettings } from "@tandem/datagen"
import { tuneData } from "@tandem/tune"
import { modelQuestions } from "@tandem/tune/ModelQuestions"
import { Effect } from "effect"
import { chatServer } from "../packages/datagen/test/support/ChatServer.ts"
import { manyChunks } from "../packages/datagen/test/support/Chunks.ts"

const scratch = mkdtempSync(join(tmpdir(), "tandem-model-questions-"))
after(() => rmSync(scratch, { recursive: true, force: true }))

const chunks = manyChunks(12)

test("a model writes the questions behind a filter, through faults, and is paid once", async () => {
  const server = await chatServer({
    faultShare: 0.2,
    reply: ([system, user]) => {
      const source = /\(from (d\d+\.txt)\)/.exec(user?.content ?? "")?.[1]
      if (system?.content.startsWith("You decide") === true)
        return JSON.stringify({ reason: "so", suitable: source !== "d3.txt" })
      if (source === "d4.txt") return "There is nothing to ask here."
      const [, subject = ""] = /\n\nThe (\w+ \d+)/.exec(user?.content ?? "") ?? []
      return JSON.stringify({ questions: [`Who is ${subject}?`, `What of ${subject}?`, "And a third one?"] })
    },
  })
  try {
    const api = {
      small_model: "small",
      large_model: "large",
      small_base_url: server.baseUrl,
      large_base_url: server.baseUrl,
    }
    const settings = await Effect.runPromise(
      readDatagenSettings({
        path: { input_dir: "unused", output_dir: scratch },
        api: { ...api, retry_delay: 0.01, corrections: 4 },
        system: { concurrency_limit: 4 },
      }),
    )
    const warnings: string[] = []
    const observe = (event: { readonly event: string; readonly message?: string }) =>
      Effect.sync(() => void (event.event === "warning" && warnings.push(event.message ?? "")))
    const questions = await Effect.runPromise(modelQuestions(settings, chunks, { observe, perChunk: 2 }))
    assert.deepEqual(questions.get("d3.txt#0"), [])
    assert.equal(questions.has("d4.txt#0"), false)
    assert.match(warnings.join("\n"), /no questions on 3 passages: it holds no JSON object/)
    assert.deepEqual(
      questions.get("d0.txt#0")?.map(({ answer }) => answer),
      [undefined, undefined],
    )
    const calls = server.calls()
    assert.deepEqual(await Effect.runPromise(modelQuestions(settings, chunks, { observe, perChunk: 2 })), questions)
    assert.equal(server.calls(), calls)

    const { train, dev, corpus } = tuneData(chunks, { seed: 1, heldOut: 0.25, perChunk: 2, questions })
    assert.equal(train.length + dev.length, 2 * 3 * 10)
    const asked = new Set([...questions.values()].flatMap((written) => written.map(({ question }) => question)))
    for (const { query, metadata } of [...train, ...dev]) {
      assert.ok(asked.has(query))
      assert.equal(metadata?.["kind"], "model")
    }
    // What a model asks about stands where it stood.
    assert.deepEqual(new Set(corpus.map(({ text }) => text)), new Set(chunks.map(({ text }) => text)))
  } finally {
    await server.close()
  }
})
