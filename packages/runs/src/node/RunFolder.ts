import { existsSync, promises as fs, readFileSync, writeFileSync } from "node:fs"
import { join, resolve } from "node:path"
import { isAlive } from "@tandem/files/node/IsAlive"
import { Effect, type Scope } from "effect"
import { type RunFolderError, RunLockedError, SettingsError } from "../Errors.ts"
import { onDisk } from "./RunFiles.ts"

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
  generator: join(run, "generator"),
  adapters: join(run, "adapters"),
  prepared: join(run, "prepared"),
  store: join(run, "store"),
  lock: join(run, ".lock"),
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
      hint: "choose another folder, or go on with `resume`",
    })
  }
  yield* onDisk(run, () => fs.mkdir(run, { recursive: true }))
  yield* holdLock(paths.lock, "run folder")
})

/**
 * Holds a lock file for this process as long as the scope lives; where another living process holds it, or another part of
 * this one, that is `RunLockedError`, which says that somebody works in this `what`.
 */
export const holdLock = Effect.fnUntraced(function* (
  file: string,
  what: string,
): Effect.fn.Return<void, RunFolderError | RunLockedError, Scope.Scope> {
  const key = resolve(file)
  yield* Effect.acquireRelease(lock(file, key, what), () =>
    Effect.promise(() => fs.rm(file, { force: true }).finally(() => held.delete(key))),
  )
})

/** Locks that this process holds: one with this process's id may also be that of a dead one. */
const held = new Set<string>()

const lock = (file: string, key: string, what: string): Effect.Effect<void, RunFolderError | RunLockedError> =>
  Effect.gen(function* () {
    if (held.has(key)) {
      return yield* new RunLockedError({
        message: `another run of this process works in this ${what}`,
        file,
        hint: "wait for it, or choose another one",
      })
    }
    held.add(key)
    yield* Effect.onError(lockFile(file, what), () => Effect.sync(() => held.delete(key)))
  })

const lockFile = (file: string, what: string): Effect.Effect<void, RunFolderError | RunLockedError> =>
  Effect.gen(function* () {
    while (!(yield* onDisk(file, () => absent("EEXIST", async () => createLock(file))))) {
      const holder = holderOf(file)
      if (holder !== undefined) {
        return yield* new RunLockedError({
          message: `process ${holder} works in this ${what}`,
          file,
          hint: "wait for it, or choose another one",
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
  return isAlive(holder) ? holder : undefined
}
