import assert from "node:assert/strict"
import { spawnSync } from "node:child_process"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { after, describe, it } from "node:test"
import { Effect } from "effect"
import Database from "libsql"
import { openSqliteResults } from "../../src/node/SqliteResults.ts"

const root = mkdtempSync(join(tmpdir(), "tandem-results-"))
after(() => rmSync(root, { recursive: true, force: true }))

const reply = { text: "a “text”\n", finish: "end", usage: { inputTokens: 3, outputTokens: 2 } } as const

describe("openSqliteResults", () => {
  it("keeps replies from one opening to the next, and counts what was paid", async () => {
    const file = join(root, "new", "results.sqlite")
    const program = Effect.gen(function* () {
      const results = yield* openSqliteResults(file)
      assert.equal(yield* results.get("b"), undefined)
      yield* results.put("a", "small", reply)
      yield* results.put("b", "large", { ...reply, thoughts: "hm", finish: "length" })
      yield* results.put("c", "large", reply)
    })
    await Effect.runPromise(Effect.scoped(program))
    const later = Effect.gen(function* () {
      const results = yield* openSqliteResults(file)
      assert.deepEqual(yield* results.get("a"), reply)
      assert.deepEqual(yield* results.get("b"), { ...reply, thoughts: "hm", finish: "length" })
      assert.deepEqual(yield* results.paid, {
        small: { inputTokens: 3, outputTokens: 2 },
        large: { inputTokens: 6, outputTokens: 4 },
      })
    })
    await Effect.runPromise(Effect.scoped(later))
  })

  it("keeps what was put by a process that was killed", async () => {
    const file = join(root, "killed.sqlite")
    const program = `
      import { Effect } from "effect"
import Database from "libsql"
      import { openSqliteResults } from "@tandem/datagen/node/SqliteResults"
      await Effect.runPromise(Effect.scoped(Effect.gen(function* () {
        const results = yield* openSqliteResults(${JSON.stringify(file)})
        yield* results.put("a", "small", ${JSON.stringify(reply)})
        process.kill(process.pid, "SIGKILL")
        yield* Effect.never
      })))`
    const { signal, stderr } = spawnSync(process.execPath, ["--input-type=module", "-e", program], {
      cwd: import.meta.dirname,
    })
    assert.equal(signal, "SIGKILL", `${stderr}`)
    const kept = Effect.flatMap(openSqliteResults(file), (results) => results.get("a"))
    assert.deepEqual(await Effect.runPromise(Effect.scoped(kept)), reply)
  })

  it("refuses what is no database, and one of another format", async () => {
    const other = join(root, "other.sqlite")
    writeFileSync(other, "no database at all, but long enough to be read as one ".repeat(40))
    const refused = await Effect.runPromise(Effect.flip(Effect.scoped(openSqliteResults(other))))
    assert.equal(refused._tag, "ResultStoreFailed")
    assert.equal(refused.file, other)
    const newer = join(root, "newer.sqlite")
    const database = new Database(newer)
    database.exec("PRAGMA user_version = 7")
    database.close()
    const strange = await Effect.runPromise(Effect.flip(Effect.scoped(openSqliteResults(newer))))
    assert.match(strange.found ?? "", /format is 7/)
  })
})
