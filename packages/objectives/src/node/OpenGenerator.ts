import { readFile } from "node:fs/promises"
import { filesIn } from "@tandem/files/node/FilesIn"
import { onDisk } from "@tandem/runs/node/RunFiles"
import { Effect } from "effect"
import { promptsFor } from "../generator/ReadGenerator.ts"
import { loadGenerator } from "./LoadGenerator.ts"

/** Which model, and how it is asked. */
export interface GeneratorSource {
  readonly generator: string
  readonly template?: string
  readonly maxPrompt?: number
  readonly maxAnswer?: number
  readonly tiny?: Parameters<typeof loadGenerator>[2]
}

/**
 * A generator with its prompts: of the template that is named, else as the generator's own `rag.json` says, else the model's
 * chat template or a plain text.
 */
export const openGenerator = Effect.fnUntraced(function* (
  source: GeneratorSource,
  from: Parameters<typeof loadGenerator>[1],
) {
  const { generator, template: file, maxPrompt, maxAnswer, tiny } = source
  const { model, folder, isRun } = yield* loadGenerator(generator, from, tiny)
  const text = file === undefined ? undefined : yield* onDisk(file, () => readFile(file, "utf8"))
  const prompts = yield* promptsFor(
    model,
    { folder: folder === undefined ? undefined : filesIn(folder), isRun },
    {
      ...(file !== undefined && text !== undefined && { template: { text, file } }),
      ...(maxPrompt !== undefined && { maxPrompt }),
      ...(maxAnswer !== undefined && { maxAnswer }),
    },
  )
  return { model, prompts }
})
