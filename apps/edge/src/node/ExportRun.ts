import { existsSync } from "node:fs"
import { readdir, stat, writeFile } from "node:fs/promises"
import { join, resolve } from "node:path"
import { replaceFolder } from "@tandem/files/node/ReplaceFolder"
import { RunFolderError, SettingsError } from "@tandem/runs/Errors"
import type { Runtime } from "@tandem/runtime"
import { Effect, Exit } from "effect"
import type { ExportType } from "../internal/node/CopyModel.ts"
import { copyRun } from "../internal/node/CopyRun.ts"
import { type Target, writeTarget } from "../internal/node/Targets.ts"

/** What is exported, and where to. */
export interface ExportSettings {
  /** The folder of a finished run. */
  readonly run: string
  /** Another index that the run's passage encoder made; the run's own where absent. */
  readonly store?: string
  /** A run whose retriever and index are taken, where the run has none. */
  readonly retriever?: string
  readonly target: Target
  /** `q8` where absent. */
  readonly dtype?: ExportType
  readonly out: string
}

/** A file of an export. */
export interface ExportedFile {
  /** Below the folder, with `/` between its parts. */
  readonly path: string
  readonly bytes: number
}

/** Names the folder as one that an export may replace. */
const marker = "export.json"

/**
 * Writes the smallest folder that serves a run on a target: models in one precision, the index, settings without what training
 * leaves, and the target's programs, each in one file. It is opened before it is put in place, and replaces an earlier export as
 * a whole; a folder that holds anything else is refused.
 */
export const exportRun = Effect.fn("edge.exportRun")(function* (settings: ExportSettings) {
  const { run, store, retriever, target, dtype = "q8", out } = settings
  if (existsSync(out) && !existsSync(join(out, marker)) && (yield* onDisk(out, () => readdir(out))).length > 0) {
    return yield* new SettingsError({
      message: `${out} holds files that are no export`,
      field: "out",
      expected: "a new folder, or an earlier export, which is replaced",
    })
  }
  const services = yield* Effect.context<Runtime>()
  const whole = (aside: string) =>
    Effect.gen(function* () {
      const copied = {
        run,
        type: dtype,
        ...(store === undefined ? {} : { store }),
        ...(retriever === undefined ? {} : { retriever }),
      }
      yield* copyRun(copied, join(aside, "run"))
      yield* onDisk(out, () => writeTarget[target](aside))
      yield* onDisk(out, () => writeFile(join(aside, marker), `${JSON.stringify({ format: 1, target, dtype })}\n`))
    })
  let exit: Exit.Exit<void, Effect.Error<ReturnType<typeof whole>>> = Exit.void
  yield* Effect.tryPromise({
    try: () =>
      replaceFolder(out, async (aside) => {
        exit = await Effect.runPromiseExitWith(services)(whole(aside))
        if (Exit.isFailure(exit)) throw new Error("it was not written as a whole")
      }),
    catch: (cause) => failed(out, cause),
  }).pipe(Effect.catch((error) => (Exit.isFailure(exit) ? Effect.void : Effect.fail(error))))
  yield* exit
  return yield* onDisk(out, () => filesOf(resolve(out)))
})

const failed = (file: string, cause: unknown): RunFolderError =>
  new RunFolderError({
    message: `cannot write the export: ${cause instanceof Error ? cause.message : String(cause)}`,
    file,
  })

const onDisk = <A>(folder: string, body: () => Promise<A>): Effect.Effect<A, RunFolderError> =>
  Effect.tryPromise({ try: body, catch: (cause) => failed(folder, cause) })

/** All files of a folder, the largest first. */
const filesOf = async (folder: string): Promise<readonly ExportedFile[]> => {
  const entries = (await readdir(folder, { recursive: true, withFileTypes: true })).filter((entry) => entry.isFile())
  const files = await Promise.all(
    entries.map(async ({ parentPath, name }) => {
      const path = join(parentPath, name)
      return { path: path.slice(folder.length + 1).replaceAll("\\", "/"), bytes: (await stat(path)).size }
    }),
  )
  return files.sort((a, b) => b.bytes - a.bytes)
}
