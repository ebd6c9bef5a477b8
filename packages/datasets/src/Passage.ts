/**
 * A piece of text that can be retrieved.
 *
 * `title` stands apart from `text`: whether an encoder reads it is the encoder's decision (DPR does, most others do not).
 * Readers put the name of the document that a passage was cut from, where they know it, in `metadata.document`; that is
 * what {@link sameDocumentNegatives} goes by.
 */
export interface Passage {
  readonly id: string
  readonly text: string
  readonly title?: string
  readonly metadata?: Readonly<Record<string, unknown>>
}

/**
 * A passage as it can be read: one of a title alone has it as its text (published corpora hold such); undefined where
 * there is neither.
 */
export const readablePassage = (passage: Passage): Passage | undefined => {
  if (passage.text.trim() !== "") return passage
  const { title = "", ...rest } = passage
  return title.trim() === "" ? undefined : { ...rest, text: title }
}

/** The document that a passage was cut from (`metadata.document`), where it is known. */
export const documentOf = (passage: Passage): string | undefined => {
  const { document } = passage.metadata ?? {}
  return typeof document === "string" ? document : undefined
}
