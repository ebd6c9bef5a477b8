import { readdir, readFile } from "node:fs/promises"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { Effect } from "effect"
import { InvalidDatagenSettings, InvalidPromptFile } from "../Errors.ts"
import { type PromptFile, promptFile } from "../prompt/PromptFile.ts"
import { type DatagenPrompts, neededBy } from "../prompt/Prompts.ts"

/** Where prompts are looked for. */
export interface PromptPlaces {
  /** One's own, looked in first. */
  readonly prompts?: string
  /** Those that hold where `prompts` has none; this package's own where absent. */
  readonly default_prompts?: string
  /** `en`, `de`, `fr`, `es` or `zh`; a folder of this name within those above is looked in before them. */
  readonly language: string
}

/** The folder of this package's own prompts, one folder a language. */
export const ownPrompts: string = fileURLToPath(new URL("../prompts/", import.meta.url))

/**
 * The prompts of a pipeline, each from the first folder that has its file: `rag_filter.yaml`, `rag_convs.yaml`,
 * `rag_failed_convs.yaml`, `rag_questions.yaml`, `rag_judge.yaml`, `rag_correction.yaml`.
 *
 * A folder that cannot be read and a file that is no prompt end in `InvalidPromptFile`; a language without prompts in
 * `InvalidDatagenSettings`.
 */
export const loadPrompts = Effect.fnUntraced(function* ({
  prompts,
  default_prompts = ownPrompts,
  language,
}: PromptPlaces): Effect.fn.Return<DatagenPrompts, InvalidPromptFile | InvalidDatagenSettings> {
  if (!/^[A-Za-z][A-Za-z0-9_-]*$/.test(language)) return yield* unknownLanguage(language)
  const given = [...(prompts === undefined ? [] : [prompts]), default_prompts]
  for (const folder of given) yield* attempt(folder, () => readdir(folder))
  const folders = [...given, ...(given.includes(ownPrompts) ? [] : [ownPrompts])].flatMap((folder) => [
    join(folder, language),
    ...(folder === ownPrompts ? [] : [folder]),
  ])
  const load = Effect.fnUntraced(function* (
    name: keyof DatagenPrompts,
  ): Effect.fn.Return<PromptFile, InvalidPromptFile | InvalidDatagenSettings> {
    for (const folder of folders) {
      const file = join(folder, `${name}.yaml`)
      const text = yield* attempt(file, () => readFile(file, "utf8").catch(nothingWhereAbsent))
      if (text === undefined) continue
      return yield* Effect.suspend(() => {
        try {
          return Effect.succeed(promptFile(text, file, neededBy[name]))
        } catch (cause) {
          return cause instanceof InvalidPromptFile ? Effect.fail(cause) : Effect.die(cause)
        }
      })
    }
    return yield* unknownLanguage(language)
  })
  return {
    rag_filter: yield* load("rag_filter"),
    rag_convs: yield* load("rag_convs"),
    rag_failed_convs: yield* load("rag_failed_convs"),
    rag_questions: yield* load("rag_questions"),
    rag_judge: yield* load("rag_judge"),
    rag_correction: yield* load("rag_correction"),
  }
})

const unknownLanguage = (language: string): Effect.Effect<never, InvalidDatagenSettings> =>
  Effect.flatMap(
    Effect.promise(() => readdir(ownPrompts)),
    (known) =>
      Effect.fail(
        new InvalidDatagenSettings({
          message: "there are no prompts in this language",
          field: "system.language",
          expected: known.toSorted().join(", "),
          found: language,
          hint: "put a folder of this name with all six files into the folder that `prompts` names",
        }),
      ),
  )

const nothingWhereAbsent = (cause: unknown): undefined => {
  if (cause instanceof Error && "code" in cause && (cause.code === "ENOENT" || cause.code === "ENOTDIR")) return
  throw cause
}

const attempt = <A>(file: string, run: () => Promise<A>): Effect.Effect<A, InvalidPromptFile> =>
  Effect.tryPromise({
    try: run,
    catch: (cause) =>
      new InvalidPromptFile({
        message: "prompts cannot be read",
        file,
        found: cause instanceof Error ? cause.message : String(cause),
      }),
  })
