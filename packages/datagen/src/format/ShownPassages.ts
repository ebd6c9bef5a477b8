import type { Chunk } from "@tandem/documents"

/**
 * A chunk as a reader is shown it: its source and its text. Prompts of `tandem ask` show a passage with a title in the same
 * way.
 */
export const shownPassage = ({ source, text }: Pick<Chunk, "source" | "text">): string => `${source}\n${text}`

/** What `{data}` stands for: the passages in their order, a blank line between them. */
export const shownPassages = (chunks: readonly Chunk[]): string => chunks.map(shownPassage).join("\n\n")
