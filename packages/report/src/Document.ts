import { embedScript, embedStyle, escapeHtml } from "./Html.ts"
import { style } from "./Style.ts"

/** What is inlined into a page with charts, so that it needs no network. */
export interface ReportAssets {
  readonly uplotScript: string
  readonly uplotStyle: string
}

/** What a page is made of. */
export interface Parts {
  readonly title: string
  /** Rules beyond those that all pages have. */
  readonly styles: readonly string[]
  /** HTML of the page's main part. */
  readonly main: string
  /** They run after the main part is there, beside uPlot's global where the page plots. */
  readonly scripts: readonly string[]
  readonly plots: boolean
}

/** One HTML file with style and scripts in it: it needs nothing from anywhere, and may load nothing. */
export const htmlPage = ({ title, styles, main, scripts, plots }: Parts, assets: ReportAssets): string => {
  const sheets = [...(plots ? [assets.uplotStyle] : []), [style, ...styles].join("\n")]
  const programs = [...(plots ? [assets.uplotScript] : []), ...scripts].filter((script) => script !== "")
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data:">
<meta name="color-scheme" content="light dark">
<title>${escapeHtml(title)}</title>
${sheets.map((sheet) => `<style>${embedStyle(sheet)}</style>`).join("\n")}
</head>
<body>
<main>
${main}
</main>
${programs.map((program) => `<script>${embedScript(program)}</script>`).join("\n")}
</body>
</html>
`
}
