import { isRecord } from "../internal/Record.ts"
import { charsmap } from "./Charsmap.ts"

/** A normalizer of the library; a sequence has its parts. */
export interface Normalizing {
  normalize: (text: string) => string
  readonly normalizers?: readonly (Normalizing | null)[]
}

/**
 * Makes the library's normalizer of `tokenizer.json`'s entry `normalizer` do what Python's `tokenizers` does where they
 * differ: compiled rules are those of the file and not a fixed choice, and a capital sigma becomes σ wherever it stands
 * (JavaScript writes ς at the end of a word). Rules that cannot be read end in a `RangeError`.
 */
export const alignNormalizer = (normalizer: Normalizing | null, entry: unknown): void => {
  if (normalizer === null || !isRecord(entry)) return
  const { type, normalizers, precompiled_charsmap: compiled, lowercase } = entry
  if (type === "Sequence" && Array.isArray(normalizers)) {
    for (const [index, part] of normalizers.entries()) alignNormalizer(normalizer.normalizers?.[index] ?? null, part)
  } else if (type === "Precompiled" && typeof compiled === "string" && compiled !== "") {
    normalizer.normalize = charsmap(Uint8Array.from(atob(compiled), (character) => character.charCodeAt(0)))
  } else if (type === "Lowercase" || (type === "BertNormalizer" && lowercase === true)) {
    const normalize = normalizer.normalize.bind(normalizer)
    normalizer.normalize = (text) => normalize(text.replaceAll("Σ", "σ"))
  }
}
