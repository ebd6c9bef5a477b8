export { type AuditDataSettings, auditData, type DataAudit } from "./AuditData.ts"
export { type ExportDataSettings, type Exported, exportData, exportNames } from "./ExportData.ts"
export { type LintDataSettings, lintData } from "./LintData.ts"
