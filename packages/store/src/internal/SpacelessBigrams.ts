import { cutSpaceless, isSpaceless, spacelessScripts } from "@tandem/datasets"

const segments = new RegExp(`(?:[${spacelessScripts}]\\p{M}*)+|[^${spacelessScripts}]+`, "gu")

/**
 * A run of letters, marks and digits in pieces: what is written in scripts without spaces as all pairs of neighbouring
 * characters (a single one as it is), in compatibility composition, so that half-width letters are the usual ones; the
 * rest as it stands.
 */
export const bigramsOfSpaceless = (run: string): readonly string[] =>
  isSpaceless(run)
    ? (run.match(segments) ?? []).flatMap((part) => (isSpaceless(part) ? bigrams(part.normalize("NFKC")) : [part]))
    : [run]

const bigrams = (part: string): readonly string[] => {
  const characters = cutSpaceless(part)
  return characters.length === 1 ? characters : characters.slice(1).map((second, at) => `${characters[at]}${second}`)
}
