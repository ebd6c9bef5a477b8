import type { Tokenizer } from "@tandem/models"
import type { Finish } from "../Generator.ts"

/** Follows one text while it grows. */
export interface Writer {
  readonly ids: number[]
  readonly logprobs: number[]
  finish: Finish | undefined
  /** Takes one more token; ends the text where this token ends it. */
  readonly push: (id: number, logprob: number) => void
  /** What has become certain since the last call, and at the end all that is left. */
  readonly fresh: () => string
  readonly text: () => string
}

/** What ends a text. */
export interface Ends {
  readonly endTokenIds: readonly number[]
  readonly maxTokens: number
  readonly stop: readonly string[]
}

/**
 * A text that grows token by token. It ends by a token that ends texts, by a stop text, which is not part of it, or at its
 * longest, in this order where several come together.
 */
export const makeWriter = (tokenizer: Tokenizer, { endTokenIds, maxTokens, stop }: Ends): Writer => {
  const ids: number[] = []
  const logprobs: number[] = []
  let given = 0
  const decoded = (): string => tokenizer.decode(ids.filter((id) => !endTokenIds.includes(id)))
  const cut = (text: string): string => {
    const places = stop.map((each) => text.indexOf(each)).filter((place) => place >= 0)
    return places.length === 0 ? text : text.slice(0, Math.min(...places))
  }
  const writer: Writer = {
    ids,
    logprobs,
    finish: undefined,
    push: (id, logprob) => {
      ids.push(id)
      logprobs.push(logprob)
      if (endTokenIds.includes(id)) writer.finish = "end"
      else if (stop.length > 0 && stop.some((each) => decoded().includes(each))) writer.finish = "stop"
      else if (ids.length >= maxTokens) writer.finish = "length"
    },
    fresh: () => {
      const text = cut(decoded())
      const certain = writer.finish === undefined ? text.length - unsure(text, stop) : text.length
      if (certain <= given) return ""
      const part = text.slice(given, certain)
      given = certain
      return part
    },
    text: () => cut(decoded()),
  }
  return writer
}

/** How much of a text's end later tokens may change: half a character, white space, the beginning of a stop text. */
const unsure = (text: string, stop: readonly string[]): number => {
  const broken = /[\uFFFD\s]*$/.exec(text)?.[0].length ?? 0
  const begun = stop.map((each) => {
    for (let length = Math.min(each.length - 1, text.length); length > 0; length--) {
      if (text.endsWith(each.slice(0, length))) return length
    }
    return 0
  })
  return Math.max(broken, ...begun)
}
