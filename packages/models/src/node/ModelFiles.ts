import { join } from "node:path"
import type { ReadFiles } from "@tandem/files"
import { filesIn, readBytes } from "@tandem/files/node/FilesIn"
import { modelPath } from "../internal/node/ModelPath.ts"

/** The files of a model's folder; links that lead out of it are not followed (`modelPath`). */
export const modelFiles = (directory: string): ReadFiles => {
  const files = filesIn(directory)
  const real = async (path: string): Promise<string> => modelPath(join(directory, path))
  return {
    ...files,
    read: async (path) => ((await files.stat?.(path)) === undefined ? undefined : readBytes(await real(path))),
    readRange: async (path, start, end) => readBytes(await real(path), start, end),
  }
}
