import { lstat, readdir, realpath, stat } from "node:fs/promises"
import { basename, dirname, join, relative, sep } from "node:path"
import { Effect } from "effect"
import { DocumentProblem } from "../DocumentProblem.ts"
import { NoDocumentsError } from "../Errors.ts"
import { formatOf } from "../readers/Formats.ts"

/** A file of a folder that a reader is for. */
export interface DocumentFile {
  /** As `Document.source`. */
  readonly source: string
  readonly path: string
  readonly bytes: number
}

/** The files of a folder, and what looks like one and cannot be read. */
export interface FolderFiles {
  readonly files: readonly DocumentFile[]
  readonly problems: readonly DocumentProblem[]
}

/**
 * The files of a folder and of the folders in it that a reader is for, by their names' ends and in the order of their
 * names; a file stands for itself alone. What is hidden (`.git`) and `node_modules` are left out. Symbolic links are not
 * followed: what one inside the folder leads to is found where it lies, one that leads out of it is a problem.
 *
 * Ends in `NoDocumentsError` where there is no such folder, or it cannot be listed.
 */
export const listDocuments = (folder: string): Effect.Effect<FolderFiles, NoDocumentsError> =>
  Effect.tryPromise({
    try: () => list(folder),
    catch: (cause) =>
      new NoDocumentsError({
        message: `${folder} cannot be listed: ${reasonOf(cause)}`,
        file: folder,
        expected: "a folder of documents",
        found: reasonOf(cause),
      }),
  })

const list = async (folder: string): Promise<FolderFiles> => {
  const path = await realpath(folder)
  const { size, isFile } = await stat(path).then((found) => ({ size: found.size, isFile: found.isFile() }))
  if (isFile) {
    const file = { source: basename(folder), path, bytes: size }
    return formatOf(path) === undefined ? { files: [], problems: [] } : { files: [file], problems: [] }
  }
  const files: DocumentFile[] = []
  const problems: DocumentProblem[] = []
  const open = [path]
  for (let at = open.pop(); at !== undefined; at = open.pop()) {
    const source = (name: string): string => relative(path, join(at!, name)).split(sep).join("/")
    const entries = await readdir(at, { withFileTypes: true }).catch((cause: unknown) => {
      if (at === path) throw cause
      problems.push(unreadable(source(""), reasonOf(cause)))
      return []
    })
    for (const entry of entries) {
      const { name } = entry
      const there = join(at, name)
      if (name.startsWith(".") || name === "node_modules") continue
      if (entry.isDirectory()) open.push(there)
      else if (entry.isSymbolicLink()) problems.push(...(await problemOfLink(path, there, source(name))))
      else if (formatOf(name) === undefined) continue
      else if (entry.isFile()) files.push({ source: source(name), path: there, bytes: (await lstat(there)).size })
      else problems.push(unreadable(source(name), "it is no regular file"))
    }
  }
  return { files: files.sort(bySource), problems: problems.sort(bySource) }
}

/** A link that leads to a place inside the folder is none. */
const problemOfLink = async (folder: string, link: string, source: string): Promise<readonly DocumentProblem[]> => {
  const target = await realpath(link).catch(() => undefined)
  if (target === undefined) return formatOf(link) === undefined ? [] : [unreadable(source, "the link leads nowhere")]
  if (target === folder || target.startsWith(folder.endsWith(sep) ? folder : folder + sep)) return []
  const isDocument = formatOf(link) !== undefined || (await stat(target).catch(() => undefined))?.isDirectory() === true
  if (!isDocument) return []
  return [
    new DocumentProblem({
      source,
      reason: "outside",
      message: `${source} is a link out of the folder and was not followed`,
      expected: `a file below ${basename(folder)}`,
      found: `a link into ${dirname(target)}`,
      hint: "copy what is to be read into the folder",
    }),
  ]
}

const unreadable = (source: string, reason: string): DocumentProblem =>
  new DocumentProblem({ source, reason: "unreadable", message: `${source} cannot be read: ${reason}` })

const bySource = (a: { readonly source: string }, b: { readonly source: string }): number =>
  a.source < b.source ? -1 : a.source > b.source ? 1 : 0

const reasonOf = (cause: unknown): string => (cause instanceof Error ? cause.message : String(cause))
