import assert from "node:assert/strict"
import { cp, mkdtemp, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { test } from "node:test"
import { Effect } from "effect"
import { loadTokenizer } from "../../src/node/LoadTokenizer.ts"
import { goldenPath } from "../support/Golden.ts"

test("a chat template beside a tokenizer comes with it", async () => {
  const folder = await mkdtemp(join(tmpdir(), "tandem-"))
  try {
    await cp(goldenPath("tokenizer"), folder, { recursive: true })
    assert.equal((await Effect.runPromise(loadTokenizer(folder))).files.chatTemplate, undefined)
    await writeFile(join(folder, "chat_template.jinja"), "{{ messages }}\n")
    const { files } = await Effect.runPromise(loadTokenizer(folder))
    assert.equal(files.chatTemplate, "{{ messages }}\n")
    assert.equal(files.config["chat_template"], undefined)
  } finally {
    await rm(folder, { recursive: true })
  }
})
