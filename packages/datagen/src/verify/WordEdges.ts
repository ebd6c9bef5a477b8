const letter = "[\\p{L}\\p{M}\\p{N}]"
const edge = `(?:(?<=${letter})(?!${letter})|(?<!${letter})(?=${letter}))`

/** The pattern with `\\b` at the edges of words of every script, not of English letters alone. */
export const withWordEdges = (pattern: RegExp): RegExp =>
  new RegExp(pattern.source.replaceAll("\\b", edge), pattern.flags)
