import { parsePythonStrings } from "./PythonLiteral.ts"

/** Columns that may hold lists. */
const lists = /^(?:positives?|negatives?|pos|neg|hard_negatives|answers|positive_passages|negative_passages)$/
const numbers = /^(?:weight|label|score)$/
const structures = /^(?:relevance|metadata)$/

/**
 * A row of a table whose cells are text: empty cells and columns without a name (pandas' index) are absent; lists (as
 * JSON, or as Python prints them) and numbers are read in the columns that hold such.
 */
export const rowOfCells = (names: readonly string[], cells: readonly string[]): Readonly<Record<string, unknown>> =>
  Object.fromEntries(
    names.flatMap((name, at): [string, unknown][] => {
      const cell = cells[at] ?? ""
      return cell === "" || name === "" ? [] : [[name, valueOf(name, cell)]]
    }),
  )

const valueOf = (name: string, cell: string): unknown => {
  if (numbers.test(name) && cell.trim() !== "" && Number.isFinite(Number(cell))) return Number(cell)
  if (lists.test(name) && /^\s*[[(]/.test(cell)) return jsonOf(cell) ?? parsePythonStrings(cell) ?? cell
  if (name === "answers" && cell.startsWith("{")) return jsonOf(cell) ?? printedAnswers(cell) ?? cell
  return structures.test(name) ? (jsonOf(cell) ?? cell) : cell
}

/** SQuAD's answers as pandas prints them: `{'text': array(['a', 'b'], dtype=object), …}`. */
const printedAnswers = (cell: string): readonly string[] | undefined => {
  const start = /'text': (?:array\()?\[/.exec(cell)
  if (start === null) return undefined
  const open = start.index + start[0].length - 1
  for (let end = cell.indexOf("]", open); end >= 0; end = cell.indexOf("]", end + 1)) {
    const strings = parsePythonStrings(cell.slice(open, end + 1))
    if (strings !== undefined) return strings
  }
  return undefined
}

const jsonOf = (cell: string): unknown => {
  try {
    return JSON.parse(cell)
  } catch {
    return undefined
  }
}
