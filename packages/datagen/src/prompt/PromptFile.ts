import { InvalidPrompt, InvalidTemplate, type Message } from "@tandem/generator"
import { parseJinja } from "@tandem/generator/prompt/Jinja"
import { Result, Schema } from "effect"
import { parse } from "yaml"
import { InvalidPromptFile } from "../Errors.ts"

/** The messages of a prompt, whose contents are templates. */
export interface PromptFile {
  readonly file: string
  readonly render: (variables: Readonly<Record<string, unknown>>) => readonly Message[]
}

const Turns = Schema.Array(
  Schema.Struct({ role: Schema.Literals(["system", "user", "assistant"]), content: Schema.String }),
).check(Schema.isMinLength(1))

const decode = Schema.decodeUnknownResult(Turns)

/** What a prompt has to show, or it asks about nothing. */
export interface Needed {
  /** How messages call it: `{{ text }}`. */
  readonly name: string
  /** Variables in which a text stands that is looked for in the prompt. */
  readonly variables: (mark: string) => Readonly<Record<string, unknown>>
}

/** Stands for a text in a template that is tried; no document holds it. */
const mark = "\u{F0000}"

/** Templates that ask for the day get a fixed one: a prompt decides whether a reply is kept already. */
const day = new Date("2024-07-26T00:00:00Z")

/**
 * A prompt out of a YAML file: a list of messages, each with a `role` and a `content`, a Jinja template.
 *
 * What is no such list, does not compile, or does not show what it has to, ends in `InvalidPromptFile`.
 *
 * @throws InvalidPromptFile
 */
export const promptFile = (text: string, file: string, needs: readonly Needed[]): PromptFile => {
  const templates = messagesOf(text, file).map(({ role, content }, index) => ({
    role,
    template: guarded(file, index, () => parseJinja(content, { name: `message ${index + 1} of the prompt`, file })),
  }))
  const render: PromptFile["render"] = (variables) =>
    templates.map(({ role, template }, index) => ({
      role,
      content: guarded(file, index, () => template.render(variables, day)).trim(),
    }))
  for (const { name, variables } of needs) {
    if (render(variables(mark)).some(({ content }) => content.includes(mark))) continue
    throw new InvalidPromptFile({
      message: `the prompt does not show ${name}`,
      file,
      expected: name,
      hint: "its messages are Jinja templates",
    })
  }
  return { file, render }
}

const messagesOf = (text: string, file: string): typeof Turns.Type => {
  const expected = "a list of messages, each with a role (system, user or assistant) and a content"
  let value: unknown
  try {
    value = parse(text)
  } catch (cause) {
    const found = cause instanceof Error ? (cause.message.split("\n")[0] ?? "") : String(cause)
    throw new InvalidPromptFile({ message: "the prompt is no YAML", file, expected, found })
  }
  const result = decode(value)
  if (Result.isFailure(result)) {
    const found = (JSON.stringify(value) ?? "nothing").slice(0, 80)
    throw new InvalidPromptFile({ message: "the file holds no prompt", file, expected, found })
  }
  if (result.success.at(-1)?.role === "user") return result.success
  throw new InvalidPromptFile({ message: "the prompt does not end with the user's message", file, expected })
}

/** Errors of templates as those of the prompt's file. */
const guarded = <A>(file: string, index: number, run: () => A): A => {
  try {
    return run()
  } catch (cause) {
    if (cause instanceof InvalidTemplate || cause instanceof InvalidPrompt) {
      throw new InvalidPromptFile({ message: cause.message, file, field: `[${index}].content` })
    }
    throw cause
  }
}
