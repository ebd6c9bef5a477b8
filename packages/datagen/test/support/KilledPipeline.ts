import assert from "node:assert/strict"
import { type ChildProcess, spawn } from "node:child_process"
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import Database from "libsql"
import { chatServer } from "./ChatServer.ts"

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

/** Begins a pipeline, or goes on with one, in a process of its own: it writes into the folder and asks at the address. */
export type StartPipeline = (folder: string, baseUrl: string) => ChildProcess

/** The pipeline on chunks of so many documents. */
export const onChunks =
  (documents: number): StartPipeline =>
  (folder, baseUrl) =>
    spawn(process.execPath, [program, folder, baseUrl, `${documents}`], { stdio: ["ignore", "ignore", "pipe"] })

/** What was asked of the endpoint of a killed pipeline. */
export interface KilledFigures {
  /** Calls that came in, and replies that were delivered as a whole. */
  readonly calls: number
  readonly delivered: number
  /** Replies that were kept in the end. */
  readonly kept: number
  /** Replies whose receiver was dead before it could keep them. */
  readonly lost: number
}

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
 * was kept was made again. At most four calls may be under way at once.
 */
export const killedPipeline = async (kills: number, start: StartPipeline): Promise<KilledFigures> => {
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
    const whole = await ended(start(undisturbed, calm.baseUrl))
    assert.equal(whole.signal, null, whole.errors)
    const step = Math.floor(calm.delivered() / (kills + 1))
    assert.ok(step >= 2)
    let lost = 0
    for (let kill = 1; kill <= kills; kill++) {
      killAt = rough.delivered() + step
      child = start(killed, rough.baseUrl)
      assert.equal((await ended(child)).signal, "SIGKILL")
      killAt = Number.POSITIVE_INFINITY
      // Delivered, but its receiver was dead before it could keep them: at most those that were under way.
      const now = rough.delivered() - keptIn(killed)
      assert.ok(now - lost <= 4, `${now - lost} of one kill`)
      lost = now
    }
    child = start(killed, rough.baseUrl)
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
    return { calls: rough.calls(), delivered: rough.delivered(), kept: keptIn(killed), lost }
  } finally {
    await Promise.all([calm.close(), rough.close()])
    rmSync(root, { recursive: true, force: true })
  }
}
