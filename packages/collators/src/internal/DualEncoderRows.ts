import type { BatchPassage, DualEncoderItem } from "../DualEncoderItem.ts"
import { InvalidBatch } from "../Errors.ts"

/** The passages of a batch as its columns. */
export interface DualEncoderRows {
  /** The positives, then each query's hard negatives; undefined where a query has too few. */
  readonly rows: readonly (BatchPassage | undefined)[]
  readonly present: readonly BatchPassage[]
  /** The batch's shortest passage, which stands in for missing ones. */
  readonly filler: BatchPassage
  /** By query and passage, whether the passage is no negative of the query. */
  readonly excluded: readonly boolean[]
}

export const dualEncoderRows = (items: readonly DualEncoderItem[], hardNegatives: number): DualEncoderRows => {
  if (items.length === 0 || !Number.isSafeInteger(hardNegatives) || hardNegatives < 0) {
    throw new InvalidBatch({
      message: "no batch can be made of this",
      expected: "at least one item and a whole number of hard negatives of 0 or more",
      found: `${items.length} items, ${hardNegatives} hard negatives`,
    })
  }
  const rows = [
    ...items.map(({ positive }) => positive),
    ...items.flatMap(({ negatives }) => Array.from({ length: hardNegatives }, (_, at) => negatives[at])),
  ]
  const present = rows.filter((row) => row !== undefined)
  const tokens = new Map(present.map((row) => [row, tokensOf(row)]))
  const isExcluded = items.map((item) => {
    const answering = new Set(present.filter((row) => answers(item, row)).map((row) => tokens.get(row)))
    return (row: BatchPassage | undefined): boolean => row === undefined || answering.has(tokens.get(row))
  })
  return {
    rows,
    present,
    filler: present.reduce((a, b) => (b.text.ids.length < a.text.ids.length ? b : a)),
    excluded: isExcluded.flatMap((excluded, b) => rows.map((row, j) => j !== b && excluded(row))),
  }
}

/** What an encoder reads of a passage, to be compared: equal texts under two ids are one passage to it. */
const tokensOf = ({ text: { ids, types } }: BatchPassage): string =>
  `${Array.from(ids).join()};${types === undefined || Array.from(types).every((type) => type === 0) ? "" : Array.from(types).join()}`

const answers = (item: DualEncoderItem, passage: BatchPassage): boolean =>
  passage.id === item.positive.id || item.relevant.has(passage.id) || holdsAnswer(item, passage)

const holdsAnswer = (item: DualEncoderItem, { words }: BatchPassage): boolean =>
  words !== undefined && (item.answers ?? []).some((answer) => answer !== "" && ` ${words} `.includes(` ${answer} `))
