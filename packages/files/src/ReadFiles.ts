/**
 * The files of one folder that are only read, wherever they lie: on a disk, behind an address, in memory, in an object storage.
 * `read` is enough; what else a place can do saves transfers and memory.
 */
export interface ReadFiles {
  /** What the folder is called where a file of it is named; empty where it has no name. */
  readonly location: string
  /** The bytes of a file by its path below the folder, with `/` between its parts; undefined where there is none. */
  readonly read: (path: string) => Promise<Uint8Array | undefined>
  /** Whether there is such a file, and its size where that is known. */
  readonly stat?: (path: string) => Promise<{ readonly size?: number } | undefined>
  /** The bytes from `start` to `end`; fewer where the file ends before. */
  readonly readRange?: (path: string, start: number, end: number) => Promise<Uint8Array>
  /** Names of what lies in a folder below this one, or in this one (`""`), in order; those of folders end in `/`. */
  readonly list?: (folder: string) => Promise<readonly string[]>
}

/** What a file of a folder is called. */
export const fileName = ({ location }: Pick<ReadFiles, "location">, path: string): string =>
  location === "" || location.endsWith("/") ? location + path : `${location}/${path}`

/** A folder below another. */
export const filesBelow = (files: ReadFiles, folder: string): ReadFiles => {
  const below = (path: string): string => `${folder}/${path}`
  const { stat, readRange, list } = files
  return {
    location: fileName(files, folder),
    read: (path) => files.read(below(path)),
    ...(stat === undefined ? {} : { stat: (path: string) => stat(below(path)) }),
    ...(readRange === undefined
      ? {}
      : { readRange: (path: string, start: number, end: number) => readRange(below(path), start, end) }),
    ...(list === undefined ? {} : { list: (inner: string) => list(inner === "" ? folder : below(inner)) }),
  }
}

/** Whether there is such a file. */
export const holdsFile = async (files: ReadFiles, path: string): Promise<boolean> =>
  (files.stat === undefined ? await files.read(path) : await files.stat(path)) !== undefined

/** Files in memory, by path. */
export const filesInMemory = (
  contents: Readonly<Record<string, Uint8Array>> | ReadonlyMap<string, Uint8Array>,
  location = "",
): ReadFiles => {
  const known: ReadonlyMap<string, Uint8Array> = contents instanceof Map ? contents : new Map(Object.entries(contents))
  return {
    location,
    read: async (path) => known.get(path),
    stat: async (path) => {
      const bytes = known.get(path)
      return bytes === undefined ? undefined : { size: bytes.length }
    },
    readRange: async (path, start, end) => (known.get(path) ?? new Uint8Array(0)).subarray(start, end),
    list: async (folder) => {
      const start = folder === "" ? "" : `${folder}/`
      const inside = [...known.keys()].filter((path) => path.startsWith(start)).map((path) => path.slice(start.length))
      return [...new Set(inside.map((path) => /^[^/]*\/?/.exec(path)?.[0] ?? path))].sort()
    },
  }
}
