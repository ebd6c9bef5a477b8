import type { Tokenizer } from "@tandem/models"
import { InvalidPrompt } from "../Errors.ts"
import type { Message } from "../Generator.ts"
import { parseJinja } from "./Jinja.ts"
import { specialToken } from "./SpecialTokens.ts"

/** What a chat template is rendered with besides the conversation. */
export interface RenderOptions {
  /** Whether the text ends where the assistant's answer begins; true where absent. */
  readonly addGenerationPrompt?: boolean
  /** Further variables, such as `enable_thinking`, `tools` or `documents`. */
  readonly variables?: Readonly<Record<string, unknown>>
  /** The time that `strftime_now` tells, in UTC; the current one where absent. */
  readonly now?: Date
}

/** A tokenizer's layout of conversations. */
export interface ChatTemplate {
  /** Where it came from. */
  readonly file: string
  /** The conversation as one text, special tokens written out. A tokenizer is to add none to it. */
  readonly render: (messages: readonly Message[], options?: RenderOptions) => string
}

/** Which template is read. */
export interface ChatTemplateOptions {
  /** Of several, the one of this name, such as `rag` or `tool_use`; `default` where absent. */
  readonly name?: string
}

/**
 * The chat template of a tokenizer: `chat_template.jinja`, or `chat_template` of `tokenizer_config.json`, which is a text or
 * a list of named ones. Nothing where the tokenizer has none.
 *
 * It renders what transformers' `apply_chat_template` does, byte for byte: with the same whitespace rules, the tokenizer's
 * special tokens, `raise_exception`, `strftime_now`, `tojson`. A template is data from outside: it sees nothing but the
 * conversation, and its length, its steps and the sizes of its values are bounded.
 *
 * A name that is not there ends in `InvalidPrompt`, as does a conversation that the template refuses; a template that
 * cannot be parsed or rendered, or does too much, in `InvalidTemplate`.
 *
 * @example
 * ```ts
 * import { chatTemplateOf } from "@tandem/generator"
 * import { makeTokenizer, trainWordPiece } from "@tandem/models"
 *
 * const files = trainWordPiece(["the river was long"], { vocabularySize: 60 })
 * const chatTemplate = "{% for m in messages %}<{{ m.role }}>{{ m.content }}{% endfor %}{% if add_generation_prompt %}<assistant>{% endif %}"
 * const template = chatTemplateOf(makeTokenizer({ ...files, chatTemplate }))
 * console.log(template?.render([{ role: "user", content: "how long?" }])) // <user>how long?<assistant>
 * ```
 */
export const chatTemplateOf = (tokenizer: Tokenizer, options: ChatTemplateOptions = {}): ChatTemplate | undefined => {
  const { name = "default" } = options
  const templates = templatesOf(tokenizer)
  if (templates.size === 0) return undefined
  const found = templates.get(name)
  if (found === undefined) {
    throw new InvalidPrompt({
      message: "the tokenizer has no chat template of this name",
      file: configFile,
      field: "chat_template",
      expected: [...templates.keys()].join(", "),
      found: name,
    })
  }
  const { text, file } = found
  const { render } = parseJinja(text, file)
  const tokens = specialTokens(tokenizer)
  return {
    file,
    render: (messages, { addGenerationPrompt = true, variables = {}, now = new Date() } = {}) =>
      render(
        {
          tools: null,
          documents: null,
          ...tokens,
          ...variables,
          messages,
          add_generation_prompt: addGenerationPrompt,
        },
        now,
      ),
  }
}

const configFile = "tokenizer_config.json"

interface Named {
  readonly text: string
  readonly file: string
}

/** All templates of a tokenizer by name. */
const templatesOf = ({ files }: Tokenizer): ReadonlyMap<string, Named> => {
  const stated = files.config["chat_template"]
  const found = new Map<string, Named>()
  if (typeof stated === "string") found.set("default", { text: stated, file: configFile })
  for (const one of Array.isArray(stated) ? stated : []) {
    const { name, template }: { readonly name?: unknown; readonly template?: unknown } = one ?? {}
    if (typeof name === "string" && typeof template === "string") found.set(name, { text: template, file: configFile })
  }
  if (files.chatTemplate !== undefined) {
    found.set("default", { text: files.chatTemplate, file: "chat_template.jinja" })
  }
  return found
}

/** The special tokens that templates know by their fields' names. */
const specialTokens = (tokenizer: Tokenizer): Readonly<Record<string, string>> =>
  Object.fromEntries(
    Object.keys(tokenizer.files.config).flatMap((field) => {
      const token = field.endsWith("_token") ? specialToken(tokenizer, field) : undefined
      return token === undefined ? [] : [[field, token]]
    }),
  )
