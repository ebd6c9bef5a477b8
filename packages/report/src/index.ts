export { type Curve, curves, type Line } from "./Curves.ts"
export { type PlotPage, plotPage } from "./Document.ts"
export { escapeHtml } from "./Html.ts"
export { renderReport } from "./RenderReport.ts"
export type {
  EvalRow,
  Metrics,
  RankedPassage,
  ReportAssets,
  ReportData,
  ReportExample,
  ReportJson,
  StepRow,
} from "./ReportData.ts"
