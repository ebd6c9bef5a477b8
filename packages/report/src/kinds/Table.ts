import { escapeHtml } from "../Html.ts"
import type { Kind } from "../Kind.ts"

/** Rows of texts below the names of their columns. The first column names the row. */
export interface Table {
  readonly head: readonly string[]
  readonly rows: readonly (readonly string[])[]
}

export const table: Kind<Table> = {
  render: ({ head, rows }) => {
    if (rows.length === 0) return ""
    const numeric = head.map((_, column) => rows.every((row) => isNumeric(row[column] ?? "")))
    const kind = (column: number): string => (column > 0 && numeric[column] ? ' class="number"' : "")
    const names = head.map((name, column) => `<th scope="col"${kind(column)}>${escapeHtml(name)}</th>`)
    const lines = rows.map((row) => {
      const cells = head.map((_, column) => {
        const shown = escapeHtml(row[column] ?? "")
        return column === 0 ? `<th scope="row">${shown}</th>` : `<td${kind(column)}>${shown}</td>`
      })
      return `<tr>${cells.join("")}</tr>`
    })
    return `<div class="scroll"><table class="plain"><thead><tr>${names.join("")}</tr></thead>
<tbody>${lines.join("\n")}</tbody></table></div>`
  },
  style: `
.scroll { overflow-x: auto; }
table.plain { border-collapse: collapse; width: 100%; font-size: .9375rem; }
.plain th { font-weight: 500; text-align: left; }
.plain thead th { color: var(--soft); font-size: .8125rem; padding: 0 .25rem .4rem 1rem; white-space: nowrap; }
.plain tbody tr { border-top: 1px solid var(--line); }
.plain tbody th, .plain td { padding: .5rem .25rem .5rem 1rem; vertical-align: top; }
.plain tr > :first-child { padding-left: 0; }
.plain thead th.number, .plain .number { text-align: right; white-space: nowrap; }
`,
}

/** Numbers with a unit, a sign or a range count as numbers: they stand on the right. */
const isNumeric = (text: string): boolean =>
  text === "" || /^[+−-]?[\d.,\u202f]+(\D{0,4}[\d.,]+)?( ?\S{1,4})?$|^–$/.test(text)
