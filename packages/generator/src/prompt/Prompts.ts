import type { Tokenizer } from "@tandem/models"
import { InvalidPrompt } from "../Errors.ts"
import type { Message, TokenPrompt } from "../Generator.ts"
import { chatPlaces, optionsOf } from "./ChatLayout.ts"
import { type ChatTemplate, chatTemplateOf } from "./ChatTemplate.ts"
import { behindAnswer, endToken } from "./EndToken.ts"
import { type Context, passageText, promptText, separator, turns } from "./PromptText.ts"
import type { RagPrompt } from "./RagPrompt.ts"
import {
  type ChatTurns,
  checkTemplate,
  type Places,
  type RagTemplate,
  type TextTemplate,
  textPlaces,
} from "./RagTemplate.ts"
import { type Frame, framingTokens } from "./SpecialTokens.ts"

/** What of a language model prompts are made for; a model of `@tandem/models` has it all. */
export interface PromptModel {
  /** An encoder's input ends in the tokens that its tokenizer puts behind texts; `decoder` where absent. */
  readonly kind?: "decoder" | "seq2seq"
  readonly tokenizer: Tokenizer
  readonly endTokenIds: readonly number[]
  /** Longest sequence in tokens. */
  readonly maxLength: number
  /** The tokenizer's own where absent (`chatTemplateOf`). */
  readonly chatTemplate?: ChatTemplate
}

/** Which prompts are made. */
export interface PromptSettings {
  readonly template: RagTemplate
  /** Most tokens of a prompt; where absent, what the model's longest sequence leaves of it, at most 1,024. */
  readonly maxPrompt?: number
  /** Most tokens of an answer, with the one that ends it; 64 where absent. */
  readonly maxAnswer?: number
}

/** A prompt's tokens, up to where the answer begins. */
export interface Prompt extends TokenPrompt {
  /** Tokens of the context that did not fit. */
  readonly cut: number
  /** Passages that were reached: of each at least one token is there, if only of the blank line before it. */
  readonly contexts: number
}

/** Makes prompts and answers of one kind for one model. */
export interface Prompts {
  /**
   * A question with its passages, best first, which a blank line separates. A prompt that is too long loses tokens at the end
   * of its context, never of the question or the template. Without passages the context's place is left empty.
   *
   * What does not fit even without context ends in `InvalidPrompt`.
   */
  readonly prompt: (query: string, contexts: readonly Context[]) => Prompt
  /**
   * An answer's tokens and the one that ends it. An answer without tokens, one that is longer than `maxAnswer`, and any answer
   * of a model that has no token for its end end in `InvalidPrompt`.
   */
  readonly answer: (text: string) => TokenPrompt
  /** The same prompt, uncut, for a model that makes tokens of it itself. */
  readonly text: (query: string, contexts: readonly Context[]) => string | readonly Message[]
  /** The token that ends answers, where the model has one. */
  readonly endTokenId: number | undefined
  /** What `generator/rag.json` holds, as `ragPromptJson` writes it. */
  readonly settings: RagPrompt
}

/**
 * Prompts of a template for a model.
 *
 * Four pieces are tokenized apart and joined: what stands before the context, each passage (from the second one on with
 * the blank line before it), what stands behind the context, and the answer. So it is certain where each begins, prompts of
 * one question share their beginning token by token, and a few tokens differ from those of the whole text where a merge
 * would reach across (docs/prompts.md). The tokenizer's first tokens, as a beginning of sequence, stand before the first
 * piece alone; a chat template writes its own.
 *
 * A broken template ends in `InvalidTemplate`; a chat without a chat template, or lengths that exceed the model's, in
 * `InvalidPrompt`.
 *
 * @example
 * ```ts
 * import { defaultTemplate, makePrompts } from "@tandem/generator"
 * import { tinyDecoder, trainWordPiece } from "@tandem/models"
 *
 * const vocabulary = trainWordPiece(["the river was long", "the long river"], { vocabularySize: 60 })
 * const prompts = makePrompts(tinyDecoder({ seed: 0, vocabulary, maxLength: 512 }), { template: defaultTemplate })
 * const { ids, cut } = prompts.prompt("how long was the river?", [{ title: "River", text: "the river was long" }])
 * console.log(ids.length, cut)
 * ```
 */
export const makePrompts = (model: PromptModel, settings: PromptSettings): Prompts => {
  const { tokenizer, kind = "decoder", maxLength } = model
  const { template, maxAnswer = 64 } = settings
  checkTemplate(template)
  const { maxPrompt = Math.min(maxLength - (kind === "decoder" ? maxAnswer : 0), 1024) } = settings
  checkLengths(kind, maxPrompt, maxAnswer, maxLength)
  const { places, frame, behind } = template.kind === "text" ? textLayout(model, template) : chatLayout(model, template)
  const endTokenId = endToken(model, behind)
  const encode = (text: string): readonly number[] =>
    text === "" ? [] : tokenizer.encode(text, { specialTokens: false }).ids

  const pieces = pieceTexts(places)
  const around = lastOf((query: string) => {
    const { head, tail } = pieces(query)
    return {
      head: [...frame.before, ...encode(head)],
      tail: [...encode(tail), ...(kind === "seq2seq" ? frame.after : [])],
    }
  })

  const prompt = (query: string, contexts: readonly Context[]): Prompt => {
    const { head, tail } = around(query)
    const room = maxPrompt - head.length - tail.length
    if (room < 0) throw tooLong("a prompt does not fit even without context", "maxPrompt", maxPrompt, maxPrompt - room)
    const context: number[] = []
    let all = 0
    let shown = 0
    for (const [index, one] of contexts.entries()) {
      const ids = encode(`${index === 0 ? "" : separator}${passageText(template, one)}`)
      if (ids.length > 0 && all < room) shown += 1
      context.push(...ids.slice(0, Math.max(0, room - all)))
      all += ids.length
    }
    return { ids: [...head, ...context, ...tail], cut: all - context.length, contexts: shown }
  }

  const answer = (text: string): TokenPrompt => {
    if (endTokenId === undefined) {
      throw new InvalidPrompt({
        message: "the model has no token that ends an answer",
        field: "eos_token_id",
        hint: "name one in generation_config.json or config.json",
      })
    }
    const ids = encode(text)
    if (ids.length === 0) {
      throw new InvalidPrompt({ message: "no token is left of an answer", found: JSON.stringify(text) })
    }
    if (ids.length >= maxAnswer) throw tooLong("an answer is too long", "maxAnswer", maxAnswer, ids.length + 1)
    return { ids: [...ids, endTokenId] }
  }

  return {
    prompt,
    answer,
    text: (query, contexts) => promptText(template, query, contexts),
    endTokenId,
    settings: { template, maxPrompt, maxAnswer },
  }
}

/** What stands before and behind the context, with the question in its place. */
const pieceTexts = ({ names, texts: [first = "", second = "", third = ""] }: Places) =>
  names[0] === "query"
    ? (query: string) => ({ head: `${first}${query}${second}`, tail: third })
    : (query: string) => ({ head: first, tail: `${second}${query}${third}` })

/** Remembers the result of the last argument: the k prompts of a question come one after another. */
const lastOf = <A>(make: (text: string) => A): ((text: string) => A) => {
  let last: { readonly text: string; readonly made: A } | undefined
  return (text) => {
    if (last?.text !== text) last = { text, made: make(text) }
    return last.made
  }
}

/** How a template's pieces look to a model: with which tokens around them, and what would follow an answer. */
interface Layout {
  readonly places: Places
  readonly frame: Frame
  readonly behind: string
}

const textLayout = ({ tokenizer }: PromptModel, template: TextTemplate): Layout => ({
  places: textPlaces(template),
  frame: framingTokens(tokenizer),
  behind: "",
})

/** A chat template writes the tokens around a conversation itself. */
const chatLayout = ({ tokenizer, chatTemplate = chatTemplateOf(tokenizer) }: PromptModel, chat: ChatTurns): Layout => {
  if (chatTemplate === undefined) {
    throw new InvalidPrompt({
      message: "prompts are to be conversations, and the tokenizer has no chat template",
      field: "chat_template",
      expected: "chat_template.jinja, or chat_template in tokenizer_config.json",
      hint: "use a template of kind text",
    })
  }
  const behind = behindAnswer(turns(chat, chat.user), chatTemplate, optionsOf(chat))
  return { places: chatPlaces(chat, chatTemplate), frame: { before: [], after: [] }, behind }
}

const checkLengths = (kind: string, maxPrompt: number, maxAnswer: number, maxLength: number): void => {
  for (const [field, value] of Object.entries({ maxPrompt, maxAnswer })) {
    if (Number.isSafeInteger(value) && value > 0) continue
    throw new InvalidPrompt({
      message: `\`${field}\` leaves no token`,
      field,
      expected: "a whole number above 0",
      found: `${value}`,
      hint: `the model has room for ${maxLength} tokens`,
    })
  }
  const longest = kind === "decoder" ? maxPrompt + maxAnswer : Math.max(maxPrompt, maxAnswer)
  if (longest <= maxLength) return
  throw new InvalidPrompt({
    message: "prompt and answer are longer than the model's sequences",
    field: "maxPrompt",
    expected: `at most ${maxLength} tokens`,
    found: `${maxPrompt} of \`maxPrompt\` and ${maxAnswer} of \`maxAnswer\``,
  })
}

const tooLong = (message: string, field: string, most: number, found: number): InvalidPrompt =>
  new InvalidPrompt({ message, field, expected: `at most ${most} tokens`, found: `${found} tokens` })
