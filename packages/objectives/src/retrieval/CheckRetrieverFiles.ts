import { fileName, type ReadFiles } from "@tandem/files"
import { InvalidRunError, type RunFolderError } from "@tandem/runs/Errors"
import { holds, list, readFile, readRecord } from "@tandem/runs/ReadRun"
import { Effect, Schema } from "effect"

const Recorded = Schema.Struct({ format: Schema.Literal(1), files: Schema.Record(Schema.String, Schema.String) })

/** The file of a run that names the SHA-256 of its retriever's files. */
export const retrieverRecord = "retriever-files.json"

/** The tokenizer's and settings' files of a run's retriever, by their path in the run; none where a folder cannot be listed. */
export const retrieverFiles = Effect.fnUntraced(function* (
  run: ReadFiles,
): Effect.fn.Return<readonly string[], RunFolderError> {
  const found: string[] = []
  const folders = ["retriever", "passage-retriever"]
  for (let folder = folders.shift(); folder !== undefined; folder = folders.shift()) {
    for (const name of yield* list(run, folder)) {
      const path = `${folder}/${name}`
      if (name.endsWith("/")) folders.push(path.slice(0, -1))
      else if (/\.(json|txt|model|jinja)$/.test(name)) found.push(path)
    }
  }
  return found
})

/**
 * Refuses a retriever whose tokenizer's or settings' files are others than the run wrote, which would embed texts otherwise
 * than it was trained to. A run that wrote nothing down is taken as it is.
 */
export const checkRetrieverFiles = Effect.fnUntraced(function* (run: ReadFiles) {
  if (!(yield* holds(run, retrieverRecord))) return
  const { files } = yield* readRecord(run, retrieverRecord, Recorded)
  for (const [name, expected] of Object.entries(files)) {
    const file = fileName(run, name)
    const bytes = yield* readFile(run, name)
    const found = bytes === undefined ? undefined : yield* sha256(bytes)
    if (found === expected) continue
    return yield* new InvalidRunError({
      message: `${name} is another file than the run wrote`,
      file,
      expected: `SHA-256 ${expected}`,
      found: found === undefined ? "nothing" : `SHA-256 ${found}`,
      hint: `put it back; if it was changed on purpose, remove ${retrieverRecord} from the run's folder`,
    })
  }
  const added = (yield* retrieverFiles(run)).find((name) => files[name] === undefined)
  if (added === undefined) return
  return yield* new InvalidRunError({
    message: `${added} is a file that the run did not write`,
    file: fileName(run, added),
    expected: Object.keys(files).join(", "),
    found: added,
    hint: `take it away; if it was added on purpose, remove ${retrieverRecord} from the run's folder`,
  })
})

const sha256 = (bytes: Uint8Array): Effect.Effect<string> =>
  Effect.promise(async () => {
    const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes.slice()))
    return Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("")
  })
