import type { Passage } from "./Passage.ts"

/**
 * For each passage that reads the same as others, the ids of these others. `titled` says whether a title is part of what
 * is read.
 */
export const sameText = (
  passages: Iterable<Passage>,
  { titled }: { readonly titled: boolean },
): ReadonlyMap<string, readonly string[]> => {
  const first = new Map<string, string>()
  const groups = new Map<string, Set<string>>()
  for (const { id, text, title = "" } of passages) {
    const read = titled ? `${title}\u0000${text}` : text
    const known = first.get(read)
    if (known === undefined) first.set(read, id)
    else groups.set(known, (groups.get(known) ?? new Set([known])).add(id))
  }
  return new Map(
    [...groups.values()].flatMap((ids) => [...ids].map((id) => [id, [...ids].filter((other) => other !== id)])),
  )
}
