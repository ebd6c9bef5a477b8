import type { Passage } from "@tandem/datasets"

/** A piece of a document that fits a model. */
export interface Chunk {
  /** Made of source and text, so that what did not change keeps its id when the rest of the document changes. */
  readonly id: string
  /** `Document.source`. */
  readonly source: string
  /** `Document.hash`. */
  readonly document: string
  /** Its place among the document's chunks, from 0. */
  readonly index: number
  readonly text: string
  /** The document's title. */
  readonly title?: string
  /** The heading under which the chunk begins. */
  readonly heading?: string
  /** The chunk is `document.text.slice(start, end)`. */
  readonly start: number
  readonly end: number
}

/** A chunk as a passage of a corpus; its document is its source, so that negatives of the same document are found. */
export const chunkPassage = ({ id, source, text, title, heading, start, end }: Chunk): Passage => ({
  id,
  text,
  ...(title === undefined ? {} : { title }),
  metadata: { document: source, ...(heading === undefined ? {} : { heading }), start, end },
})
