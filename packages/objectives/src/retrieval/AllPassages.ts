import { DuplicatePassageError, type Passage, type RetrievalData } from "@tandem/datasets"
import { Effect } from "effect"

/**
 * The passages of several sets of questions, each id once. One id for two texts ends in `DuplicatePassageError`: a question
 * would be shown the passage of another set.
 */
export const allPassages = Effect.fnUntraced(function* (
  sets: readonly { readonly data: Pick<RetrievalData, "corpus">; readonly files: readonly string[] }[],
): Effect.fn.Return<ReadonlyMap<string, Passage>, DuplicatePassageError> {
  const all = new Map<string, Passage>()
  for (const { data, files } of sets) {
    for (const [id, passage] of data.corpus) {
      const known = all.get(id)
      if (known === undefined) all.set(id, passage)
      else if (readOf(known) !== readOf(passage)) {
        return yield* new DuplicatePassageError({
          message: `passage ${id} has another text in ${files.join(", ")} than in the questions before`,
          file: files.join(", "),
          field: "id",
          expected: readOf(known).slice(0, 60),
          found: readOf(passage).slice(0, 60),
          hint: "give every passage an id of its own, or prepare the sets one by one",
        })
      }
    }
  }
  return all
})

/** What a prompt shows of a passage, white space aside. */
const readOf = ({ title = "", text }: Passage): string => `${title}\n${text}`.replace(/\s+/g, " ").trim()
