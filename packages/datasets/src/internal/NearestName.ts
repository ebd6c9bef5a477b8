/**
 * The known name that another one is probably a slip of: equal but for case, hyphens and underscores, or one edit away
 * (two where the name is long; two neighbours that changed places are one). Short names are never guessed.
 */
export const nearestName = (name: string, known: readonly string[]): string | undefined => {
  const plain = plainOf(name)
  return known.find((candidate) => {
    const other = plainOf(candidate)
    const allowed = other.length < 5 ? 0 : other.length < 7 ? 1 : 2
    return plain === other || (Math.abs(plain.length - other.length) <= allowed && distance(plain, other) <= allowed)
  })
}

const plainOf = (name: string): string => name.toLowerCase().replace(/[-_\s]/g, "")

/** Edits from one text to the other: letters left out, put in, replaced, or changed with their neighbour. */
const distance = (a: string, b: string): number => {
  const rows = [Array.from({ length: b.length + 1 }, (_, j) => j)]
  for (let i = 1; i <= a.length; i++) {
    const row = [i]
    for (let j = 1; j <= b.length; j++) {
      const replaced = rows[i - 1]![j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1)
      const swapped =
        i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]
          ? rows[i - 2]![j - 2]! + 1
          : Number.POSITIVE_INFINITY
      row.push(Math.min(rows[i - 1]![j]! + 1, row[j - 1]! + 1, replaced, swapped))
    }
    rows.push(row)
  }
  return rows[a.length]![b.length]!
}
