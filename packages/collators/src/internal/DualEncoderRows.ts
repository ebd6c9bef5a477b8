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
  return {
    rows,
    present,
    filler: present.reduce((a, b) => (b.text.ids.length < a.text.ids.length ? b : a)),
    excluded: items.flatMap((item, b) => rows.map((row, j) => j !== b && (row === undefined || answers(item, row)))),
  }
}

const answers = (item: DualEncoderItem, passage: BatchPassage): boolean =>
  passage.id === item.positive.id || item.relevant.has(passage.id) || holdsAnswer(item, passage)

const holdsAnswer = (item: DualEncoderItem, { words }: BatchPassage): boolean =>
  words !== undefined && (item.answers ?? []).some((answer) => answer !== "" && ` ${words} `.includes(` ${answer} `))
