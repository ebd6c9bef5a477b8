import { realpathSync, statSync } from "node:fs"
import { basename, dirname, sep } from "node:path"
import { InvalidEncoder } from "../../Errors.ts"

/** Folders of a model's files below its own: exports, and modules as sentence-transformers numbers them. */
const below = /^(onnx|\d+_[A-Za-z]+)$/

/** The folder of the model that a file of it lies in. */
const rootOf = (file: string): string => {
  const folder = dirname(file)
  return below.test(basename(folder)) ? dirname(folder) : folder
}

/** Hugging Face's cache: links in `models--ORG--NAME/snapshots/REVISION/` lead to `models--ORG--NAME/blobs/HASH`. */
const snapshot = /^(.*[\\/]models--[^\\/]+)[\\/]snapshots[\\/][^\\/]+(?:[\\/]|$)/

/** Whether a path lies below a folder, at any depth. */
const isBelow = (path: string, folder: string): boolean =>
  path.startsWith(folder.endsWith(sep) ? folder : `${folder}${sep}`)

/**
 * The real path of a file of a model, to be opened. A symbolic link that leads out of the model's folder is followed only
 * where a hub's cache lays it so, into the blobs of the same model; else whoever wrote the folder would choose which files
 * of the machine are read. What is no regular file is refused, too: a pipe would be waited for, and a device read without
 * end.
 *
 * @throws InvalidEncoder for such a link, and the system's error where there is no such file
 */
export const modelPath = (file: string): string => {
  const real = regular(realpathSync(file))
  const root = realpathSync(rootOf(file))
  const repository = snapshot.exec(root)?.[1]
  const isBlob = repository !== undefined && dirname(real) === `${repository}${sep}blobs`
  if (!isBelow(real, root) && !isBlob) {
    throw new InvalidEncoder({
      message: `${file} is a symbolic link out of the model's folder`,
      file,
      expected: `a file below ${root}, or a link of a hub's cache to the blobs of the same model`,
      found: real,
      hint: "put the file itself in the link's place",
    })
  }
  return real
}

/** A path, if a regular file lies there. */
export const regular = (path: string): string => {
  if (!statSync(path).isFile()) throw new Error("it is no regular file")
  return path
}
