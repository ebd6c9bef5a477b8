export { type FilesAtOptions, filesAt } from "./FilesAt.ts"
export { fileName, filesBelow, filesInMemory, holdsFile, type ReadFiles } from "./ReadFiles.ts"
