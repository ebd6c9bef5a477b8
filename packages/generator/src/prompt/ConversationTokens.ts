import { InvalidPrompt } from "../Errors.ts"
import type { Message } from "../Generator.ts"
import { optionsOf } from "./ChatLayout.ts"
import { type ChatTemplate, chatTemplateOf } from "./ChatTemplate.ts"
import { endToken } from "./EndToken.ts"
import type { PromptModel } from "./Prompts.ts"
import type { ChatTurns } from "./RagTemplate.ts"

/** One turn of a conversation that is learned from. */
export interface LearnedMessage extends Message {
  /** Whether the model learns to say it. */
  readonly trained: boolean
}

/** A text as token ids, and which of them a model learns to say. */
export interface LabelledTokens {
  readonly ids: readonly number[]
  /** As many flags as ids. */
  readonly labels: readonly boolean[]
}

/**
 * A conversation as the model's chat template lays it out, up to its last turn that is trained, and which of its tokens are
 * learned: what the model says from where its turn begins, and the token that ends it. What the template writes before and
 * behind a turn is none. Pieces are tokenized apart, as `makePrompts` does it, so that it is certain where a turn begins.
 *
 * A template that asks for the day is given 2024-07-26, or that of `layout`.
 *
 * @throws InvalidPrompt for a tokenizer without a chat template, no turn that is trained, or a template that writes a turn
 * otherwise where another one follows, so that what is said and what is read would differ
 *
 * @example
 * ```ts
 * import { conversationTokens } from "@tandem/generator"
 * import { makeTokenizer, tinyDecoder, trainWordPiece } from "@tandem/models"
 *
 * const files = trainWordPiece(["how long was the river", "long"], { vocabularySize: 60 })
 * const chatTemplate = "{% for m in messages %}{{ m.content }}[SEP]{% endfor %}"
 * const model = { ...tinyDecoder({ seed: 0, vocabulary: files }), tokenizer: makeTokenizer({ ...files, chatTemplate }) }
 * const { ids, labels } = conversationTokens(model, [
 *   { role: "user", content: "how long was the river", trained: false },
 *   { role: "assistant", content: "long", trained: true },
 * ])
 * console.log(ids.length, labels.lastIndexOf(true))
 * ```
 */
export const conversationTokens = (
  model: PromptModel,
  messages: readonly LearnedMessage[],
  layout: Pick<ChatTurns, "variables" | "date"> = {},
): LabelledTokens => {
  const template = model.chatTemplate ?? chatTemplateOf(model.tokenizer)
  if (template === undefined) {
    throw new InvalidPrompt({
      message: "the tokenizer has no chat template, so it cannot lay out a conversation",
      field: "chat_template",
      expected: "chat_template.jinja, or chat_template in tokenizer_config.json",
      hint: "take a model that was made for conversations, or write the texts out in segments",
    })
  }
  const turns = messages.flatMap(({ trained }, at) => (trained ? [turnOf(template, messages, at, layout)] : []))
  const pieces: Piece[] = []
  for (const [index, { before, said, behind, at }] of turns.entries()) {
    if (index === 0) pieces.push(piece(encoded(model, before), false))
    const done = before + said
    const next = turns[index + 1]
    if (next !== undefined && !next.before.startsWith(done)) throw rewritten(template, at)
    pieces.push(
      piece(encoded(model, said), true),
      ...(next === undefined ? ending(model, behind) : between(model, next.before.slice(done.length))),
    )
  }
  const ids = pieces.flatMap((piece) => piece.ids)
  const labels = pieces.flatMap((piece) => piece.ids.map(() => piece.label))
  const end = labels.lastIndexOf(true) + 1
  if (end > 0) return { ids: ids.slice(0, end), labels: labels.slice(0, end) }
  throw new InvalidPrompt({
    message: "no turn of the conversation is trained",
    field: "messages",
    expected: "at least one turn of the assistant with a text",
  })
}

interface Piece {
  readonly ids: readonly number[]
  readonly label: boolean
}

const encoded = ({ tokenizer }: PromptModel, text: string): readonly number[] =>
  text === "" ? [] : tokenizer.encode(text, { specialTokens: false }).ids

const placeholder = "{response}"

/**
 * The text before a turn, what is said in it, and what the template writes behind that. Where these meet, a turn shows whose
 * text cannot be mistaken; what the template writes before the text, such as thoughts that there are not, is said, too.
 */
const turnOf = (
  template: ChatTemplate,
  messages: readonly Message[],
  at: number,
  layout: Pick<ChatTurns, "variables" | "date">,
) => {
  const options = optionsOf(layout)
  const others = messages.slice(0, at).map(({ role, content }) => ({ role, content }))
  const { role, content } = messages[at]!
  const before = template.render(others, options)
  const spoken = (text: string): string =>
    template.render([...others, { role, content: text }], { ...options, addGenerationPrompt: false })
  const marked = spoken(placeholder)
  const place = marked.indexOf(placeholder, before.length)
  if (!marked.startsWith(before) || place < 0) throw rewritten(template, at)
  const behind = marked.slice(place + placeholder.length)
  const whole = spoken(content)
  const said = [marked.slice(before.length, place), ""]
    .flatMap((first) => [first + content, first + content.trim()])
    .find((text) => whole === before + text + behind)
  if (said === undefined) throw rewritten(template, at)
  return { before, said, behind, at }
}

/** The tokens between two turns that are said, of which the first is learned where the model ends texts with it. */
const between = (model: PromptModel, text: string): readonly Piece[] => {
  const [first, ...rest] = encoded(model, text)
  return first === undefined ? [] : [piece([first], model.endTokenIds.includes(first)), piece(rest, false)]
}

/** The token that ends the last turn. */
const ending = (model: PromptModel, behind: string): readonly Piece[] => {
  const end = endToken(model, behind)
  return end === undefined ? [] : [piece([end], true)]
}

const piece = (ids: readonly number[], label: boolean): Piece => ({ ids, label })

const rewritten = ({ file }: ChatTemplate, at: number): InvalidPrompt =>
  new InvalidPrompt({
    message: `the chat template writes turn ${at + 1} otherwise where another one follows, or not as it stands`,
    file,
    field: `messages[${at}]`,
    expected: "a text that begins with that of the turns before",
    hint: "train on the last turn alone, with `weight` 0 at the others",
  })
