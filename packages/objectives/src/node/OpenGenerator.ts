import { readFile } from "node:fs/promises"
import { join } from "node:path"
import { InvalidPrompt, InvalidTemplate, makePrompts, type PromptSettings, ragTemplate } from "@tandem/generator"
import { InvalidRunError } from "@tandem/runs"
import { onDisk } from "@tandem/runs/node/RunFiles"
import { Effect } from "effect"
import { loadGenerator } from "./LoadGenerator.ts"
import { savedPrompt, usualTemplate } from "./SaveGenerator.ts"

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
  const { model, folder, isRun } = yield* loadGenerator(source.generator, from, source.tiny)
  const saved = folder === undefined ? undefined : yield* savedPrompt(folder)
  const file = source.template
  if (isRun && saved === undefined && file === undefined) {
    return yield* new InvalidRunError({
      message: `the generator of ${source.generator} does not say how it was asked`,
      file: join(folder ?? source.generator, "rag.json"),
      field: "template",
      expected: "rag.json beside its weights",
      found: "nothing",
      hint: "put it back, or name the text of its prompts with `template`",
    })
  }
  const text = file === undefined ? undefined : yield* onDisk(file, () => readFile(file, "utf8"))
  const { maxPrompt = saved?.maxPrompt, maxAnswer = saved?.maxAnswer } = source
  const settings: PromptSettings = {
    template:
      text === undefined ? (saved?.template ?? usualTemplate(model)) : yield* attempt(() => ragTemplate(text, file)),
    ...(maxPrompt !== undefined && { maxPrompt }),
    ...(maxAnswer !== undefined && { maxAnswer }),
  }
  return { model, prompts: yield* attempt(() => makePrompts(model, settings)) }
})

const attempt = <A>(body: () => A): Effect.Effect<A, InvalidPrompt | InvalidTemplate> =>
  Effect.suspend(() => {
    try {
      return Effect.succeed(body())
    } catch (cause) {
      return cause instanceof InvalidPrompt || cause instanceof InvalidTemplate ? Effect.fail(cause) : Effect.die(cause)
    }
  })
