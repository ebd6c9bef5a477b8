import { kinds, quantity, type Report, reportRenderer, type SectionOf } from "@tandem/report"
import type { Contents } from "@tandem/report/Kinds"
import { type Audit, isSound, type ModelTokens } from "./CollectAudit.ts"
import { type Items, itemsKind } from "./ItemsKind.ts"

type AuditContents = Contents & { readonly items: Items }

/** What an audit's page says besides what was collected. */
export interface AuditPageOptions {
  /** The folder that was looked at. */
  readonly folder: string
  /** Most rows, and most rejected items, that are shown. */
  readonly most: number
  readonly seed: number
  readonly tokens: readonly ModelTokens[]
}

/** An audit as one HTML page that needs nothing from anywhere and may load nothing. */
export const auditPage = (audit: Audit, options: AuditPageOptions): string =>
  reportRenderer<AuditContents>({ ...kinds, items: itemsKind })(reportOf(audit, options), {
    uplotScript: "",
    uplotStyle: "",
  })

const reportOf = (audit: Audit, { folder, most, seed, tokens }: AuditPageOptions): Report<SectionOf<AuditContents>> => {
  const { counts, reasons, faults, rows, rejected } = audit
  const items = counts.success + counts.failed + counts.rejected
  const share = (count: number, of: number): string => (of === 0 ? "–" : `${((100 * count) / of).toFixed(1)} %`)
  const cost = tokens.reduce((sum, one) => sum + one.input_cost + one.output_cost, 0)
  return {
    command: "tandem data audit",
    title: `${quantity(counts.rows)} training rows out of ${quantity(items)} items`,
    summary: [
      ["folder", folder],
      ["success", `${quantity(counts.success)} (${share(counts.success, counts.success + counts.failed)})`],
      ["retrieval failed", `${quantity(counts.failed)} (${share(counts.failed, counts.success + counts.failed)})`],
      ["rejected", `${quantity(counts.rejected)} (${share(counts.rejected, items)})`],
      ["trained", `${share(counts.trainedCharacters, counts.characters)} of all characters`],
      ...(tokens.length === 0 ? [] : [["cost", money(cost)] as const]),
    ],
    notices: isSound(audit)
      ? [{ text: "Every row that was kept passes all checks." }]
      : [
          {
            level: "warning",
            text: counts.rows === 0 ? "There is no row to train on." : "Some of what was kept fails checks.",
            items: [
              ...faults.map(({ check, count }) => `${check}: ${quantity(count)}`),
              ...(counts.untrained === 0 ? [] : [`nothing is trained, so no row: ${quantity(counts.untrained)}`]),
            ],
          },
        ],
    sections: [
      {
        kind: "items",
        title: "Rows and rejected items",
        intro: shownNote(counts.rows, rows.length, counts.rejected, rejected.length, { most, seed }),
        rows,
        rejected,
      },
      {
        kind: "table",
        title: "Rejected, by stage and reason",
        head: ["reason", "stage", "items", "of all"],
        rows: reasons.map(({ stage, reason, count }) => [reason, stage, quantity(count), share(count, items)]),
      },
      {
        kind: "table",
        title: "Tokens and costs",
        head: ["model", "input tokens", "output tokens", "input cost", "output cost", "together"],
        rows: tokens.map((one) => [
          one.name,
          quantity(one.input_tokens),
          quantity(one.output_tokens),
          ...[one.input_cost, one.output_cost, one.input_cost + one.output_cost].map(money),
        ]),
        notes: ["Costs are in the money that `cost` in the settings is given in."],
      },
    ],
  }
}

const money = (amount: number): string => amount.toFixed(amount >= 1 || amount === 0 ? 2 : 4)

const shownNote = (
  rows: number,
  shownRows: number,
  rejected: number,
  shownRejected: number,
  { most, seed }: Pick<AuditPageOptions, "most" | "seed">,
): string =>
  rows === shownRows && rejected === shownRejected
    ? "All rows and all rejected items. Open one to see what was shown and what is learned."
    : `${quantity(shownRows)} of ${quantity(rows)} rows and ${quantity(shownRejected)} of ${quantity(rejected)} rejected items, at most ${quantity(most)} of each, drawn by the seed ${seed}; all were counted and checked.`
