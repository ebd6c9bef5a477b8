import type { Message } from "../Generator.ts"
import { type ChatTurns, type Places, passagePlaces, type RagTemplate, textPlaces, userPlaces } from "./RagTemplate.ts"

/** A passage as a prompt shows it. */
export interface Context {
  readonly title?: string | undefined
  readonly text: string
}

/** A passage's text with its title, as the template has it; the text alone where it has no title. */
export const passageText = (template: RagTemplate, { title, text }: Context): string =>
  title === undefined || title === "" ? text : fill(passagePlaces(template), { title, text })

/** What stands between two passages. */
export const separator = "\n\n"

/** All of a prompt's passages as one text, in their order. */
const contextText = (template: RagTemplate, contexts: readonly Context[]): string =>
  contexts.map((context) => passageText(template, context)).join(separator)

/**
 * A prompt as text, for models that make tokens of it themselves: up to where the answer begins, or the turns of a
 * conversation. Nothing is cut.
 */
export const promptText = (
  template: RagTemplate,
  query: string,
  contexts: readonly Context[],
): string | readonly Message[] => {
  const values = { query, context: contextText(template, contexts) }
  if (template.kind === "text") return fill(textPlaces(template), values)
  return turns(template, fill(userPlaces(template), values))
}

/** The conversation of a template with the user's turn put in. */
export const turns = ({ system }: ChatTurns, user: string): readonly Message[] => [
  ...(system === undefined ? [] : [{ role: "system", content: system }]),
  { role: "user", content: user },
]

/** A text whose places are taken by values. */
const fill = ({ names, texts }: Places, values: Readonly<Record<string, string>>): string =>
  texts.map((text, index) => text + (values[names[index] ?? ""] ?? "")).join("")
