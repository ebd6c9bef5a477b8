/** A hint on what was meant: the name that shares most pairs of letters with what was written, or all names. */
export const nearest = (written: string, names: readonly string[]): string => {
  const pairs = (word: string) => new Set(Array.from({ length: word.length - 1 }, (_, at) => word.slice(at, at + 2)))
  const own = pairs(written.toLowerCase())
  const score = (name: string) => {
    const other = pairs(name.toLowerCase())
    return (2 * [...own].filter((pair) => other.has(pair)).length) / (own.size + other.size)
  }
  const best = names.toSorted((a, b) => score(b) - score(a))[0]
  return best !== undefined && score(best) > 0.3 ? `did you mean ${best}?` : `known are ${names.join(", ")}`
}
