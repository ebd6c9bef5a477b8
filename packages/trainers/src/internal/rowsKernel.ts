/** For each table whether its gradient was written anew as a whole, before rows are added. */
export interface RowsArgument {
  readonly dense: readonly boolean[]
}

type Arrays = Readonly<Record<string, readonly unknown[]>>

const all = <A>(
  arrays: readonly unknown[] | undefined,
  kind: (new (length: number) => A) & { readonly name: string },
): readonly A[] =>
  (arrays ?? []).map((array) => {
    if (!(array instanceof kind)) throw new Error(`gradients by rows are made of ${kind.name}`)
    return array
  })

/**
 * Adds updates `[count, width]` to the rows of each table's gradient that they belong to. Rows that an earlier call wrote
 * (`touched` 1) are set to 0 first, so that a large table is never gone through as a whole.
 */
export const addRows = (arrays: Arrays, { dense }: RowsArgument): null => {
  const touched = all(arrays["touched"], Uint8Array)
  const rows = all(arrays["rows"], Int32Array)
  const updates = all(arrays["updates"], Float32Array)
  for (const [index, table] of all(arrays["gradients"], Float32Array).entries()) {
    const marks = touched[index]!
    const width = table.length / marks.length
    if (dense[index] === true) marks.fill(1)
    else clearRows(table, marks, width)
    for (const [place, row] of rows[index]!.entries()) {
      const to = row * width
      const from = place * width
      for (let i = 0; i < width; i++) table[to + i] = table[to + i]! + updates[index]![from + i]!
      marks[row] = 1
    }
  }
  for (const marks of all(arrays["whole"], Uint8Array)) marks.fill(1)
  return null
}

const clearRows = (table: Float32Array, marks: Uint8Array, width: number): void => {
  for (const [row, mark] of marks.entries()) {
    if (mark === 0) continue
    table.fill(0, row * width, (row + 1) * width)
    marks[row] = 0
  }
}
