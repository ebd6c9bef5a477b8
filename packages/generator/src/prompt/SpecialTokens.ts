import type { Tokenizer } from "@tandem/models"

/** The tokens that a tokenizer puts before and behind every text. */
export interface Frame {
  readonly before: readonly number[]
  readonly after: readonly number[]
}

/** Finds a tokenizer's frame around a letter. */
export const framingTokens = (tokenizer: Tokenizer): Frame => {
  const { ids } = tokenizer.encode("a")
  const bare = tokenizer.encode("a", { specialTokens: false }).ids
  const at = ids.findIndex((_, start) => bare.every((id, index) => ids[start + index] === id))
  return at < 0 ? { before: [], after: [] } : { before: ids.slice(0, at), after: ids.slice(at + bare.length) }
}

/** The text of a special token that `tokenizer_config.json` names, as a string or as an object. */
export const specialToken = ({ files }: Tokenizer, field: string): string | undefined => {
  const token = files.config[field]
  if (typeof token === "string") return token
  const content = typeof token === "object" && token !== null && "content" in token ? token.content : undefined
  return typeof content === "string" ? content : undefined
}
