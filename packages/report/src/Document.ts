import { embedJson, embedScript, embedStyle, escapeHtml } from "./Html.ts"
import type { ReportAssets } from "./ReportData.ts"
import { style } from "./Style.ts"

/** What a page of plots is made of. */
export interface PlotPage {
  readonly title: string
  /** Rules beyond the reports' own. */
  readonly style?: string
  /** HTML of the page's main part. */
  readonly main: string
  /** What the script reads, as JSON in an element with this id. */
  readonly data: { readonly id: string; readonly value: unknown }
  /** Draws the plots, beside uPlot's global. */
  readonly script: string
}

/** One HTML file with style, data and scripts in it: it needs nothing from anywhere, and may load nothing. */
export const plotPage = ({ title, style: own = "", main, data, script }: PlotPage, assets: ReportAssets): string =>
  `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data:">
<meta name="color-scheme" content="light dark">
<title>${escapeHtml(title)}</title>
<style>${embedStyle(assets.uplotStyle)}</style>
<style>${style}${own}</style>
</head>
<body>
<main>
${main}
</main>
<script>${embedScript(assets.uplotScript)}</script>
<script type="application/json" id="${data.id}">${embedJson(data.value)}</script>
<script>${embedScript(script)}</script>
</body>
</html>
`
