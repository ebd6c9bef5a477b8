import { createHash } from "node:crypto"
import {
  closeSync,
  constants,
  createReadStream,
  existsSync,
  promises as fs,
  fsyncSync,
  openSync,
  readFileSync,
  writeFileSync,
  writeSync,
} from "node:fs"
import { join } from "node:path"
import { Effect, type Scope } from "effect"
import { RunFolderError, RunLockedError, SettingsError } from "./Errors.ts"

/** Paths inside a run folder. */
export const runPaths = (run: string) => ({
  config: join(run, "config.json"),
  metrics: join(run, "metrics.jsonl"),
  baseline: join(run, "baseline.json"),
  report: join(run, "report.json"),
  page: join(run, "report.html"),
  checkpoints: join(run, "checkpoints"),
  retriever: join(run, "retriever"),
  passageRetriever: join(run, "passage-retriever"),
  store: join(run, "store"),
  lock: join(run, ".lock"),
})

/** An I/O action on the run folder; a failure names file and cause. */
export const onDisk = <A>(file: string, body: () => Promise<A>): Effect.Effect<A, RunFolderError> =>
  Effect.tryPromise({
    try: body,
    catch: (cause) => {
      const full = cause instanceof Error && "code" in cause && cause.code === "ENOSPC"
      return new RunFolderError({
        message: `cannot use the run folder: ${cause instanceof Error ? cause.message : String(cause)}`,
        file,
        ...(full ? { hint: "free some space and go on with --resume" } : {}),
      })
    },
  })

/**
 * Makes the folder, or opens it for resuming, and holds it for this process as long as the scope lives.
 * A folder that holds a run already is refused without `resume`; one that another living process holds always.
 */
export const openRunFolder = Effect.fnUntraced(function* (
  run: string,
  resume: boolean,
): Effect.fn.Return<void, RunFolderError | RunLockedError | SettingsError, Scope.Scope> {
  const paths = runPaths(run)
  if (existsSync(paths.config) && !resume) {
    return yield* new SettingsError({
      message: `${run} holds a run already`,
      file: run,
      field: "out",
      hint: "choose another folder, or go on with --resume",
    })
  }
  yield* onDisk(run, () => fs.mkdir(run, { recursive: true }))
  yield* Effect.acquireRelease(lock(paths.lock), () => Effect.promise(() => fs.rm(paths.lock, { force: true })))
})

const lock = (file: string): Effect.Effect<void, RunFolderError | RunLockedError> =>
  Effect.gen(function* () {
    while (!(yield* onDisk(file, () => absent("EEXIST", async () => createLock(file))))) {
      const holder = holderOf(file)
      if (holder !== undefined) {
        return yield* new RunLockedError({
          message: `process ${holder} works in this run folder`,
          file,
          hint: "wait for it, or choose another folder",
        })
      }
      yield* onDisk(file, () => absent("ENOENT", () => dropStale(file)))
    }
  })

/** Creates the lock or throws EEXIST; in one go, so that nobody meets it empty. */
const createLock = (file: string): void => writeFileSync(file, `${process.pid}\n`, { flag: "wx" })

/** Removes the lock of a process that has ended (a kill); if another one was faster and holds it now, puts it back. */
const dropStale = async (file: string): Promise<void> => {
  const aside = `${file}.${process.pid}`
  await fs.rename(file, aside)
  await (holderOf(aside) === undefined ? fs.rm(aside) : fs.rename(aside, file))
}

/** Whether an action ended without the system's error `code`; other errors pass. */
const absent = async (code: string, body: () => Promise<void>): Promise<boolean> => {
  try {
    await body()
    return true
  } catch (cause) {
    if (cause instanceof Error && "code" in cause && cause.code === code) return false
    throw cause
  }
}

/** The living process, other than this one, that a lock file names. */
const holderOf = (file: string): number | undefined => {
  if (!existsSync(file)) return undefined
  const holder = Number(readFileSync(file, "utf8"))
  if (!Number.isSafeInteger(holder) || holder <= 0 || holder === process.pid) return undefined
  try {
    process.kill(holder, 0)
    return holder
  } catch (cause) {
    return cause instanceof Error && "code" in cause && cause.code === "EPERM" ? holder : undefined
  }
}

/** Writes a file aside, flushes it and renames it into place. */
export const writeWhole = (file: string, content: string): Effect.Effect<void, RunFolderError> =>
  onDisk(file, async () => {
    const aside = `${file}.partial`
    try {
      const handle = await fs.open(aside, "w")
      try {
        await handle.writeFile(content)
        await handle.sync()
      } finally {
        await handle.close()
      }
      await fs.rename(aside, file)
    } catch (cause) {
      await fs.rm(aside, { force: true }).catch(() => undefined)
      throw cause
    }
  })

/** Writes JSON for people: indented, a newline at the end. */
export const writeJson = (file: string, value: unknown): Effect.Effect<void, RunFolderError> =>
  writeWhole(file, `${JSON.stringify(value, null, 2)}\n`)

/** Reads JSON of the run folder. */
export const readJson = (file: string): Effect.Effect<unknown, RunFolderError> =>
  onDisk(file, async (): Promise<unknown> => JSON.parse(await fs.readFile(file, "utf8")))

/** SHA-256 of a file, streamed; of a folder, over its regular files' names and contents. */
export const hashPath = (path: string): Effect.Effect<string, RunFolderError> =>
  onDisk(path, async () => {
    const hash = createHash("sha256")
    const isFolder = (await fs.stat(path)).isDirectory()
    const entries = isFolder ? await fs.readdir(path, { recursive: true, withFileTypes: true }) : []
    const files = isFolder
      ? entries
          .filter((entry) => entry.isFile())
          .map((entry) => join(entry.parentPath, entry.name))
          .sort()
      : [path]
    for (const file of files) {
      if (isFolder) hash.update(file.slice(path.length))
      for await (const chunk of createReadStream(file)) hash.update(chunk)
    }
    return hash.digest("hex")
  })

/** One line of `metrics.jsonl`. */
export type MetricsRow = { readonly step: number } & Readonly<Record<string, unknown>>

/** `metrics.jsonl`, one object a line, in the order of the steps. */
export interface MetricsFile {
  readonly append: (row: MetricsRow) => Effect.Effect<void, RunFolderError>
  /** Makes what was appended durable. */
  readonly flush: Effect.Effect<void, RunFolderError>
}

/** Rows of a metrics file; a last line that a kill cut off is left out. */
export const readMetrics = (file: string): readonly MetricsRow[] => {
  if (!existsSync(file)) return []
  return readFileSync(file, "utf8")
    .split("\n")
    .slice(0, -1)
    .flatMap((line) => {
      const row: unknown = JSON.parse(line)
      return isRow(row) ? [row] : []
    })
}

const isRow = (row: unknown): row is MetricsRow =>
  typeof row === "object" && row !== null && "step" in row && typeof row.step === "number"

/** Opens the metrics file for appending after `step`: later rows, which will be made again, are dropped. */
export const openMetrics = Effect.fnUntraced(function* (
  file: string,
  step: number,
): Effect.fn.Return<MetricsFile, RunFolderError, Scope.Scope> {
  const kept = readMetrics(file).filter((row) => row.step <= step)
  yield* writeWhole(file, kept.map((row) => `${JSON.stringify(row)}\n`).join(""))
  const handle = yield* Effect.acquireRelease(
    onDisk(file, async () => openSync(file, constants.O_WRONLY | constants.O_APPEND)),
    (descriptor) => Effect.sync(() => closeSync(descriptor)),
  )
  return {
    append: (row) => onDisk(file, async () => void writeSync(handle, `${JSON.stringify(row)}\n`)),
    flush: onDisk(file, async () => fsyncSync(handle)),
  }
})
