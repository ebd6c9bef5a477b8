import { InvalidTemplate } from "../Errors.ts"

/** What both kinds of template can say. */
interface PassageLayout {
  /** How a passage that has a title is written, with `{text}` and, at most once, `{title}`; `"{title}\n{text}"` where absent. */
  readonly passage?: string
}

/** A text around a question, its passages and the answer. */
export interface TextTemplate extends PassageLayout {
  readonly kind: "text"
  /** Holds `{query}`, `{context}` and behind them `{response}`, each once. What stands behind `{response}` is never used. */
  readonly text: string
}

/** The turns of a conversation, which the model's own chat template lays out. */
export interface ChatTurns extends PassageLayout {
  readonly kind: "chat"
  /** The system's turn; none where absent: some models know no such turn. */
  readonly system?: string
  /** The user's turn, with `{query}` and `{context}`, each once. */
  readonly user: string
  /** Further variables of the chat template, such as `enable_thinking`. */
  readonly variables?: Readonly<Record<string, unknown>>
  /**
   * The day that a chat template which asks for the current one is given, as `YYYY-MM-DD`; 2024-07-26 where absent. It is a
   * fixed one, so that a prompt is the same tomorrow.
   */
  readonly date?: string
}

/** How prompts of retrieved passages look. */
export type RagTemplate = TextTemplate | ChatTurns

/**
 * The template that a file's text holds: `{query}`, `{context}` and behind them `{response}`, each once. Other braces stand
 * for themselves, unless they hold a single word. Line ends become `\n`, and a mark of byte order goes.
 *
 * A placeholder that is missing, there twice, unknown or out of order ends in `InvalidTemplate` with its line.
 *
 * @example
 * ```ts
 * import { ragTemplate } from "@tandem/generator"
 *
 * const template = ragTemplate("Question: {query}\nBackground: {context}\nAnswer: {response}", "template.txt")
 * console.log(template.kind) // text
 * ```
 */
export const ragTemplate = (text: string, file?: string): TextTemplate => {
  const template: TextTemplate = { kind: "text", text: text.replace(/^\uFEFF/, "").replace(/\r\n?/g, "\n") }
  checkTemplate(template, file)
  return template
}

/** A text in which places are left for others. `texts` has one more element than `names`. */
export interface Places {
  readonly names: readonly string[]
  readonly texts: readonly string[]
}

/** Divides a text at its placeholders, of which each of `needed` is there once and each of `allowed` at most once. */
export const placesOf = (
  text: string,
  needed: readonly string[],
  where: { readonly file?: string | undefined; readonly field: string; readonly allowed?: readonly string[] },
): Places => {
  const { file, field, allowed = [] } = where
  const names: string[] = []
  const texts: string[] = []
  let end = 0
  const fail = (message: string, line: number | undefined, expected: string, found: string): InvalidTemplate =>
    new InvalidTemplate({
      message: `${message} in ${line === undefined ? "" : `line ${line} of `}${file ?? "the template"}`,
      field,
      expected,
      found,
      ...(file === undefined ? {} : { file }),
      line,
    })
  for (const match of text.matchAll(/\{([A-Za-z_]\w*)\}/g)) {
    const [placeholder, name = ""] = match
    const line = text.slice(0, match.index).split("\n").length
    if (!needed.includes(name) && !allowed.includes(name)) {
      throw fail("an unknown placeholder stands", line, list([...needed, ...allowed]), placeholder)
    }
    if (names.includes(name)) throw fail("a placeholder stands a second time", line, `one ${placeholder}`, placeholder)
    names.push(name)
    texts.push(text.slice(end, match.index))
    end = match.index + placeholder.length
  }
  for (const name of needed) {
    if (!names.includes(name)) throw fail("a placeholder is missing", undefined, `{${name}}`, list(names) || "none")
  }
  return { names, texts: [...texts, text.slice(end)] }
}

const list = (names: readonly string[]): string => names.map((name) => `{${name}}`).join(", ")

const asked = ["query", "context"]

/** The places of a text template up to the answer: those of question and context, in their order. */
export const textPlaces = ({ text }: TextTemplate, file?: string): Places => {
  const { names, texts } = placesOf(text, [...asked, "response"], { file, field: "text" })
  if (names[2] === "response") return { names: names.slice(0, 2), texts: texts.slice(0, 3) }
  throw new InvalidTemplate({
    message: `{response} is not the last placeholder of ${file ?? "the template"}`,
    field: "text",
    line: text.slice(0, text.indexOf("{response}")).split("\n").length,
    expected: "{query} and {context}, and behind them {response}",
    found: list(names),
    ...(file === undefined ? {} : { file }),
  })
}

/** The places of the user's turn: those of question and context, in their order. */
export const userPlaces = ({ user }: ChatTurns, file?: string): Places => placesOf(user, asked, { file, field: "user" })

/** The places of a passage's text, with or without its title. */
export const passagePlaces = ({ passage = "{title}\n{text}" }: PassageLayout, file?: string): Places =>
  placesOf(passage, ["text"], { file, field: "passage", allowed: ["title"] })

/** Ends in `InvalidTemplate` where a template lacks a placeholder, or has one too many. */
export const checkTemplate = (template: RagTemplate, file?: string): void => {
  if (template.kind === "text") textPlaces(template, file)
  else userPlaces(template, file)
  passagePlaces(template, file)
}
