/** The kinds of things that the invented world holds. */
export const kinds = ["person", "town", "ship", "guild", "creature"] as const

export type Kind = (typeof kinds)[number]

/**
 * One relation of the invented world: what passages say about a subject `{e}` and a value `{v}`, and how people ask.
 *
 * The `statements` share hardly a word with the `questions`, on purpose, so that looking for equal words finds the
 * subject and not the relation; the `plain` one does share some. A question is a clause ("who taught {e}") or a noun phrase that starts with "the".
 * `unseen` holds questions for evaluation only; they join words that `questions` teaches in a way that none of them does.
 */
export interface Relation {
  readonly name: string
  /** Another thing of the world, one of a list of words, or a year. */
  readonly value: { readonly kind: Kind } | { readonly list: readonly string[] } | { readonly year: true }
  readonly statements: readonly string[]
  readonly plain: string
  readonly questions: readonly string[]
  readonly unseen: readonly string[]
}
