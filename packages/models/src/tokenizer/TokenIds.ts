import type { Tokenizer } from "./Tokenizer.ts"

type Json = Readonly<Record<string, unknown>>

/** The tokens that pad rows and end texts, as `generation_config.json`, `config.json` and the tokenizer name them. */
export const tokenIds = (
  huggingFace: Json,
  generation: Json | undefined,
  tokenizer: Tokenizer,
): { readonly padTokenId: number; readonly endTokenIds: readonly number[] } => {
  const ids = (field: string): readonly number[] => {
    for (const value of [generation?.[field], huggingFace[field]]) {
      const list = (Array.isArray(value) ? value : [value]).filter((id) => Number.isSafeInteger(id) && id >= 0)
      if (list.length > 0) return list
    }
    const token: unknown = tokenizer.files.config[field.replace(/_id$/, "")]
    const id = typeof token === "string" ? tokenizer.tokenId(token) : undefined
    return id === undefined ? [] : [id]
  }
  const endTokenIds = ids("eos_token_id")
  return { padTokenId: ids("pad_token_id")[0] ?? endTokenIds[0] ?? tokenizer.padTokenId, endTokenIds }
}
