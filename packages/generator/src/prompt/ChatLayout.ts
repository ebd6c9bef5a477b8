import { InvalidPrompt } from "../Errors.ts"
import type { ChatTemplate } from "./ChatTemplate.ts"
import { turns } from "./PromptText.ts"
import type { ChatTurns, Places } from "./RagTemplate.ts"

const fixedDay = "2024-07-26"

/** A conversation as the model's chat template lays it out, with the places of question and context, in their order. */
export const chatPlaces = (chat: ChatTurns, template: ChatTemplate): Places => {
  const text = template.render(turns(chat, chat.user), optionsOf(chat))
  const places = ["query", "context"].map((name) => ({ name, at: placeOf(text, `{${name}}`, template) }))
  places.sort((a, b) => a.at - b.at)
  const texts: string[] = []
  let end = 0
  for (const { name, at } of places) {
    texts.push(text.slice(end, at))
    end = at + name.length + 2
  }
  return { names: places.map(({ name }) => name), texts: [...texts, text.slice(end)] }
}

/** What a chat template is rendered with for a conversation of this layout. */
export const optionsOf = ({ variables = {}, date = fixedDay }: Pick<ChatTurns, "variables" | "date">) => ({
  variables,
  now: new Date(`${date}T00:00:00Z`),
})

/** Where a text stands in another one; that it stands there once makes it certain that nothing of the turn is lost. */
const placeOf = (text: string, sought: string, { file }: ChatTemplate): number => {
  const at = text.indexOf(sought)
  if (at >= 0 && text.indexOf(sought, at + 1) < 0) return at
  throw new InvalidPrompt({
    message: "the chat template does not show the user's turn as it stands",
    file,
    expected: `${sought} once`,
    found: at < 0 ? "none" : "several",
  })
}
