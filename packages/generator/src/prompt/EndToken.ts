import type { Tokenizer } from "@tandem/models"
import type { Message } from "../Generator.ts"
import type { ChatTemplate, RenderOptions } from "./ChatTemplate.ts"
import { specialToken } from "./SpecialTokens.ts"

/** What the chat template writes behind the assistant's answer to a conversation, or nothing where it does not show it as it stands. */
export const behindAnswer = (
  conversation: readonly Message[],
  template: ChatTemplate,
  options: Omit<RenderOptions, "addGenerationPrompt"> = {},
): string => {
  const answer = "{response}"
  const text = template.render([...conversation, { role: "assistant", content: answer }], {
    ...options,
    addGenerationPrompt: false,
  })
  const at = text.lastIndexOf(answer)
  return at < 0 ? "" : text.slice(at + answer.length)
}

/**
 * The token that ends an answer: what stands `behind` one, or the tokenizer's own, if the model ends there, else the first
 * that the model ends at; undefined where it ends at none.
 */
export const endToken = (
  { tokenizer, endTokenIds }: { readonly tokenizer: Tokenizer; readonly endTokenIds: readonly number[] },
  behind: string,
): number | undefined => {
  const [next] = behind === "" ? [] : tokenizer.encode(behind, { specialTokens: false }).ids
  const own = specialToken(tokenizer, "eos_token")
  const ends = [next, own === undefined ? undefined : tokenizer.tokenId(own), endTokenIds[0]]
  return ends.find((id) => id !== undefined && endTokenIds.includes(id))
}
