import { existsSync, promises as fs } from "node:fs"
import { basename, join, relative } from "node:path"
import { InvalidRunError } from "@tandem/runs"
import { hashPath, onDisk, readRecord, writeJson } from "@tandem/runs/node/RunFiles"
import { runPaths } from "@tandem/runs/node/RunFolder"
import { Effect, Schema } from "effect"

const Recorded = Schema.Struct({ format: Schema.Literal(1), files: Schema.Record(Schema.String, Schema.String) })

const recordOf = (run: string): string => join(run, "retriever-files.json")

/** The tokenizer's and settings' files of a run's retriever, by their path in the run. */
const filesOf = Effect.fnUntraced(function* (run: string) {
  const { retriever, passageRetriever } = runPaths(run)
  const files: string[] = []
  for (const folder of [retriever, passageRetriever].filter((path) => existsSync(path))) {
    const entries = yield* onDisk(folder, () => fs.readdir(folder, { recursive: true, withFileTypes: true }))
    for (const { parentPath, name } of entries)
      if (/\.(json|txt|model|jinja)$/.test(name))
        files.push(relative(run, join(parentPath, name)).replaceAll("\\", "/"))
  }
  return files
})

/** Writes down, beside a run's retriever, SHA-256 of its tokenizer's and settings' files. */
export const recordRetrieverFiles = Effect.fnUntraced(function* (run: string) {
  const files: Record<string, string> = {}
  for (const name of yield* filesOf(run)) files[name] = yield* hashPath(join(run, name))
  yield* writeJson(recordOf(run), { format: 1, files })
})

/**
 * Refuses a retriever whose tokenizer's or settings' files are others than the run wrote, which would embed texts otherwise
 * than it was trained to. A run that wrote nothing down is taken as it is.
 */
export const checkRetrieverFiles = Effect.fnUntraced(function* (run: string) {
  const record = recordOf(run)
  if (!existsSync(record)) return
  const { files } = yield* readRecord(record, Recorded)
  for (const [name, expected] of Object.entries(files)) {
    const file = join(run, name)
    const found = existsSync(file) ? yield* hashPath(file) : undefined
    if (found === expected) continue
    return yield* new InvalidRunError({
      message: `${name} is another file than the run wrote`,
      file,
      expected: `SHA-256 ${expected}`,
      found: found === undefined ? "nothing" : `SHA-256 ${found}`,
      hint: `put it back; if it was changed on purpose, remove ${basename(record)} from the run's folder`,
    })
  }
  const added = (yield* filesOf(run)).find((name) => files[name] === undefined)
  if (added === undefined) return
  return yield* new InvalidRunError({
    message: `${added} is a file that the run did not write`,
    file: join(run, added),
    expected: Object.keys(files).join(", "),
    found: added,
    hint: `take it away; if it was added on purpose, remove ${basename(record)} from the run's folder`,
  })
})
