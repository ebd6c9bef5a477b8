/**
 * Names of parameters where several models train together. Each model is a *part* (`query`, `passage`, `generator`), and
 * a parameter's joint name is `part/name`: `query/embeddings.word_embeddings.weight`. The model's own files know the bare
 * name alone.
 */

/** A parameter's name among those of all parts. */
export const jointName = (part: string, name: string): string => `${part}/${name}`

/** The part that a joint name begins with; empty where it names none. */
export const partOf = (name: string): string => name.slice(0, Math.max(0, name.indexOf("/")))

/** A joint name without its part. */
export const bareName = (name: string): string => name.slice(name.indexOf("/") + 1)

/** Entries of several parts under their joint names, part after part. */
export const joinParts = <A>(parts: Readonly<Record<string, ReadonlyMap<string, A>>>): ReadonlyMap<string, A> =>
  new Map(
    Object.entries(parts).flatMap(([part, own]) =>
      [...own].map(([name, value]) => [jointName(part, name), value] as const),
    ),
  )

/** Entries of one part under their bare names. */
export const takePart = <A>(joint: ReadonlyMap<string, A>, part: string): ReadonlyMap<string, A> =>
  new Map([...joint].flatMap(([name, value]) => (partOf(name) === part ? [[bareName(name), value] as const] : [])))

/** Whether a whole name fits a pattern, in which `*` stands for any characters: `generator/*`, `*layer.0.*`. */
export const matchesPattern = (pattern: string, name: string): boolean => {
  const source = pattern.replace(/[\\^$.|?+()[\]{}]/g, "\\$&").replaceAll("*", ".*")
  return new RegExp(`^${source}$`, "s").test(name)
}
