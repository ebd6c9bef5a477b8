import { copyFile, mkdir, open, readdir, rename, rm, stat } from "node:fs/promises"
import { basename, dirname, join, resolve } from "node:path"
import { Effect } from "effect"
import { SaveFailed } from "../../Errors.ts"
import { reasonOf } from "./Files.ts"

/**
 * What a file of a new directory holds: bytes, bytes in pieces that are made when the file's turn comes, a text, a JSON
 * document, or a copy of another file.
 */
export type Content =
  | { readonly bytes: Uint8Array }
  | { readonly parts: () => Iterable<Uint8Array> }
  | { readonly text: string }
  | { readonly json: unknown }
  | { readonly copyOf: string }

/**
 * Writes a whole directory aside, flushes it to the disk, and puts it in the place of `directory`, which keeps its old
 * content until then. Where anything fails the old content stays and nothing is left aside; what processes that were
 * killed have left goes with the next success.
 */
export const writeDirectory = (
  directory: string,
  files: ReadonlyMap<string, Content>,
): Effect.Effect<void, SaveFailed> =>
  Effect.tryPromise({
    try: async () => {
      const target = resolve(directory)
      const aside = `${target}.${process.pid}.part`
      const old = `${target}.${process.pid}.old`
      try {
        await rm(aside, { recursive: true, force: true })
        for (const [path, content] of files) await writeContent(join(aside, path), content)
        for (const folder of new Set([...files.keys()].map((path) => dirname(join(aside, path))))) await flush(folder)
        if (await isThere(target)) await rename(target, old)
        await rename(aside, target).catch(async (error) => {
          if (await isThere(old)) await rename(old, target)
          throw error
        })
        await flush(dirname(target))
        await sweep(target)
      } finally {
        await rm(aside, { recursive: true, force: true })
        if (await isThere(target)) await rm(old, { recursive: true, force: true })
      }
    },
    catch: (error) =>
      new SaveFailed({
        message: `${directory} cannot be written: ${reasonOf(error)}`,
        file: directory,
        hint: "check that the folder is writable and the disk has room; what was there before is untouched",
      }),
  })

/** Removes what writers of the same directory that live no more have left beside it. */
const sweep = async (target: string): Promise<void> => {
  for (const name of await readdir(dirname(target))) {
    const writer = /^\.(\d+)\.(?:part|old)$/.exec(
      name.startsWith(basename(target)) ? name.slice(basename(target).length) : "",
    )
    if (writer === null || isAlive(Number(writer[1]))) continue
    await rm(join(dirname(target), name), { recursive: true, force: true })
  }
}

const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0)
    return true
  } catch (cause) {
    return cause instanceof Error && "code" in cause && cause.code === "EPERM"
  }
}

const isThere = (path: string): Promise<boolean> =>
  stat(path).then(
    () => true,
    () => false,
  )

const writeContent = async (file: string, content: Content): Promise<void> => {
  await mkdir(dirname(file), { recursive: true })
  if ("copyOf" in content) await copyFile(content.copyOf, file)
  const handle = await open(file, "copyOf" in content ? "r+" : "w")
  try {
    if ("bytes" in content) await handle.writeFile(content.bytes)
    else if ("parts" in content) for (const part of content.parts()) await handle.writeFile(part)
    else if ("text" in content) await handle.writeFile(content.text)
    else if ("json" in content) await handle.writeFile(`${JSON.stringify(content.json, null, 2)}\n`)
    await handle.sync()
  } finally {
    await handle.close()
  }
}

/** Flushes a folder's entries; platforms that cannot open folders do it themselves. */
const flush = async (folder: string): Promise<void> => {
  const handle = await open(folder, "r").catch(() => undefined)
  try {
    await handle?.sync().catch(() => undefined)
  } finally {
    await handle?.close()
  }
}
