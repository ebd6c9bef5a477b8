import { fileName, type ReadFiles } from "@tandem/files"
import {
  chatTemplateOf,
  defaultChat,
  defaultTemplate,
  InvalidPrompt,
  InvalidTemplate,
  makePrompts,
  type PromptSettings,
  type Prompts,
  ragTemplate,
  readRagPrompt,
} from "@tandem/generator"
import type { LanguageModel } from "@tandem/models"
import type { ReadDecoderOptions } from "@tandem/models/files/ReadDecoder"
import { readLanguageModel } from "@tandem/models/files/ReadLanguageModel"
import { InvalidRunError } from "@tandem/runs/Errors"
import { holds, readJson } from "@tandem/runs/ReadRun"
import { Effect } from "effect"

/** The file beside a generator's weights that says how it was asked. */
export const ragFile = "rag.json"

/** How a generator is asked, where not as its folder says. */
export interface AskedAs {
  /** A template as a text, and what it is called where it is broken. */
  readonly template?: { readonly text: string; readonly file: string }
  readonly maxPrompt?: number
  readonly maxAnswer?: number
}

/** How a generator's folder, wherever it lies, says that it is asked; undefined where it does not. A damaged one ends in `InvalidTemplate`. */
export const readPrompt = Effect.fnUntraced(function* (folder: ReadFiles) {
  if (!(yield* holds(folder, ragFile))) return undefined
  const json = yield* readJson(folder, ragFile)
  return yield* attempt(() => readRagPrompt(json, fileName(folder, ragFile)))
})

/** The template where nobody names one: a conversation, for models that have a layout of such. */
export const usualTemplate = ({ tokenizer }: Pick<LanguageModel, "tokenizer">) =>
  chatTemplateOf(tokenizer) === undefined ? defaultTemplate : defaultChat

/**
 * A model's prompts: of the template that is named, else as its folder's `rag.json` says, else its chat template or a plain text.
 * The folder of a run's generator has to say it.
 */
export const promptsFor = Effect.fnUntraced(function* (
  model: LanguageModel,
  { folder, isRun }: { readonly folder: ReadFiles | undefined; readonly isRun: boolean },
  { template, ...lengths }: AskedAs,
) {
  const saved = folder === undefined ? undefined : yield* readPrompt(folder)
  if (isRun && saved === undefined && template === undefined) {
    const location = folder?.location ?? ""
    return yield* new InvalidRunError({
      message: `the generator of ${location.replace(/[/\\]generator$/, "")} does not say how it was asked`,
      file: folder === undefined ? ragFile : fileName(folder, ragFile),
      field: "template",
      expected: "rag.json beside its weights",
      found: "nothing",
      hint: "put it back, or name the text of its prompts with `template`",
    })
  }
  const { maxPrompt = saved?.maxPrompt, maxAnswer = saved?.maxAnswer } = lengths
  const settings: PromptSettings = {
    template:
      template === undefined
        ? (saved?.template ?? usualTemplate(model))
        : yield* attempt(() => ragTemplate(template.text, template.file)),
    ...(maxPrompt !== undefined && { maxPrompt }),
    ...(maxAnswer !== undefined && { maxAnswer }),
  }
  return yield* attempt((): Prompts => makePrompts(model, settings))
})

/** The generator of a folder, wherever it lies, with its prompts. */
export const readGenerator = Effect.fnUntraced(function* (
  folder: ReadFiles,
  { isRun, ...asked }: AskedAs & { readonly isRun: boolean },
  options: ReadDecoderOptions = {},
) {
  const model = yield* readLanguageModel(folder, options)
  return { model, prompts: yield* promptsFor(model, { folder, isRun }, asked) }
})

const attempt = <A>(body: () => A): Effect.Effect<A, InvalidPrompt | InvalidTemplate> =>
  Effect.suspend(() => {
    try {
      return Effect.succeed(body())
    } catch (cause) {
      return cause instanceof InvalidPrompt || cause instanceof InvalidTemplate ? Effect.fail(cause) : Effect.die(cause)
    }
  })
