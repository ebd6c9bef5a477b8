export { runCommandLine } from "./CommandLine.ts"
export { type ErrorReport, errorJson, renderError, reportCause, reportError } from "./ErrorReport.ts"
export { type ExitCode, exitCodes } from "./ExitCodes.ts"
export { makeProgress, type Progress, type ProgressOptions, type ProgressStream } from "./Progress.ts"
