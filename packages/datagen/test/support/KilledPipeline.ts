import assert from "node:assert/strict"
import { type ChildProcess, spawn } from "node:child_process"
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import Database from "libsql"
import { type ChatServer, chatServer } from "./ChatServer.ts"

const program = fileURLToPath(new URL("./RunPipeline.ts", import.meta.url))

/** The files that a run leaves, without the database. */
export const filesIn = (folder: string): Readonly<Record<string, string>> =>
  Object.fromEntries(
    readdirSync(folder, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile() && !entry.name.includes(".sqlite"))
      .map((entry) => {
        const path = join(entry.parentPath, entry.name)
        return [path.slice(folder.length + 1), readFileSync(path, "utf8")] as const
      })
      .toSorted(([a], [b]) => (a < b ? -1 : 1)),
  )

/** Replies that the database of a folder keeps. */
const keptIn = (folder: string): number => {
  const database = new Database(join(folder, "results.sqlite"))
  const row: unknown = database.prepare("SELECT count(*) AS count FROM replies").get()
  database.close()
  return Number(Object(row).count)
}

const run = (folder: string, server: ChatServer, documents: number): ChildProcess =>
  spawn(process.execPath, [program, folder, server.baseUrl, `${documents}`], { stdio: ["ignore", "ignore", "pipe"] })

const ended = (child: ChildProcess): Promise<{ readonly signal: string | null; readonly errors: string }> =>
  new Promise((resolve, reject) => {
    let errors = ""
    child.stderr?.on("data", (text) => {
      errors += text
    })
    child.on("error", reject)
    child.on("close", (_, signal) => resolve({ signal, errors }))
  })

/**
 * Runs the pipeline through faults in a fifth of its calls, once undisturbed and once killed again and again, each time after
 * some more replies; every process after a kill goes on. What is left is the same, byte for byte, and no call whose reply
 * was kept was made again.
 */
export const killedPipeline = async (kills: number, documents: number): Promise<void> => {
  const root = mkdtempSync(join(tmpdir(), "tandem-killed-data-"))
  const calm = await chatServer({ faultShare: 0.2 })
  let child: ChildProcess | undefined
  let killAt = Number.POSITIVE_INFINITY
  const rough = await chatServer({
    faultShare: 0.2,
    delivered: (count) => {
      if (count >= killAt) child?.kill("SIGKILL")
    },
  })
  try {
    const [undisturbed, killed] = [join(root, "undisturbed"), join(root, "killed")]
    const whole = await ended(run(undisturbed, calm, documents))
    assert.equal(whole.signal, null, whole.errors)
    const step = Math.floor(calm.delivered() / (kills + 1))
    assert.ok(step >= 2)
    let lost = 0
    for (let kill = 1; kill <= kills; kill++) {
      killAt = rough.delivered() + step
      child = run(killed, rough, documents)
      assert.equal((await ended(child)).signal, "SIGKILL")
      killAt = Number.POSITIVE_INFINITY
      // Delivered, but its receiver was dead before it could keep them: at most those that were under way.
      const now = rough.delivered() - keptIn(killed)
      assert.ok(now - lost <= 4, `${now - lost} of one kill`)
      lost = now
    }
    child = run(killed, rough, documents)
    const last = await ended(child)
    assert.equal(last.signal, null, last.errors)
    assert.equal(rough.delivered() - lost, keptIn(killed))
    assert.equal(rough.distinct(), keptIn(killed))
    const [expected, found] = [filesIn(undisturbed), filesIn(killed)]
    assert.deepEqual(Object.keys(found), Object.keys(expected))
    for (const [name, text] of Object.entries(expected)) {
      // Which calls fail differs where some are made twice, and with it what was said and paid in between.
      if (!/debug|tokens|meta/.test(name)) assert.equal(found[name], text, name)
    }
  } finally {
    await Promise.all([calm.close(), rough.close()])
    rmSync(root, { recursive: true, force: true })
  }
}
