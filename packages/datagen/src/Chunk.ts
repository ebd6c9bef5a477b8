/** A piece of a document, no longer than a model is to read at once. */
export interface Chunk {
  /** Of what it says and where it stands. */
  readonly id: string
  /** The document's path, relative to the folder that was read. */
  readonly source: string
  /** The document's id. */
  readonly document: string
  /** Which piece of its document, from 0. */
  readonly index: number
  readonly text: string
  /** The heading that it stands under, where there is one. */
  readonly heading?: string
  /** Where it begins in the document's text, in UTF-16 units; pieces may overlap. */
  readonly start: number
  /** Where it ends, exclusive. */
  readonly end: number
}
