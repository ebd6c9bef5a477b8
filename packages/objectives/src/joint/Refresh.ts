/** When an index is made anew while its passages' encoder trains. */
export type Refresh =
  | { readonly kind: "never" }
  | { readonly kind: "every"; readonly steps: number }
  /** From a step on, every so many; ordered by their first steps. */
  | { readonly kind: "schedule"; readonly from: readonly (readonly [step: number, every: number])[] }
  /** As soon as passages of a fixed probe have moved so far: the mean cosine of old and new vectors is below it. */
  | { readonly kind: "drift"; readonly below: number }

const grammar = "never, every:N, schedule:0=500,1000=2000 or drift:X"

/** What `--refresh` may say. */
export const refreshGrammar = grammar

/** Reads the words of the setting; undefined where they are none. */
export const parseRefresh = (text: string): Refresh | undefined => {
  if (text === "never") return { kind: "never" }
  const [kind, rest = "", more] = text.split(":")
  if (more !== undefined) return undefined
  if (kind === "every" && /^[1-9]\d*$/.test(rest)) return { kind, steps: Number(rest) }
  if (kind === "drift") {
    const below = Number(rest)
    return rest !== "" && below > -1 && below <= 1 ? { kind, below } : undefined
  }
  if (kind !== "schedule") return undefined
  const pairs = rest.split(",").map((pair) => /^(\d+)=([1-9]\d*)$/.exec(pair))
  const from: (readonly [number, number])[] = []
  for (const pair of pairs) {
    if (pair === null) return undefined
    const step = Number(pair[1])
    if (step <= (from.at(-1)?.[0] ?? -1)) return undefined
    from.push([step, Number(pair[2])])
  }
  return { kind, from }
}

/** Steps at which drift is measured. */
const probed = 10

/** Whether the index is to be made anew after a step; `drift` measures the mean cosine of old and new vectors. */
export const isDue = (refresh: Refresh, step: number): "no" | "yes" | "by drift" => {
  switch (refresh.kind) {
    case "never":
      return "no"
    case "every":
      return step % refresh.steps === 0 ? "yes" : "no"
    case "schedule": {
      const [first, every] = refresh.from.findLast(([from]) => from < step) ?? [0, Number.POSITIVE_INFINITY]
      return (step - first) % every === 0 ? "yes" : "no"
    }
    case "drift":
      return step % probed === 0 ? "by drift" : "no"
  }
}
