import { copyFile, mkdir } from "node:fs/promises"
import { dirname, join } from "node:path"
import { writeFlushed } from "@tandem/files/node/Flush"
import { replaceFolder } from "@tandem/files/node/ReplaceFolder"
import { Effect } from "effect"
import { SaveFailed } from "../../Errors.ts"
import { reasonOf } from "../Reading.ts"

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
    try: () =>
      replaceFolder(directory, async (aside) => {
        for (const [path, content] of files) await writeContent(join(aside, path), content)
      }),
    catch: (error) =>
      new SaveFailed({
        message: `${directory} cannot be written: ${reasonOf(error)}`,
        file: directory,
        hint: "check that the folder is writable and the disk has room; what was there before is untouched",
      }),
  })

const writeContent = async (file: string, content: Content): Promise<void> => {
  await mkdir(dirname(file), { recursive: true })
  if ("copyOf" in content) await copyFile(content.copyOf, file)
  else if ("bytes" in content) await writeFlushed(file, content.bytes)
  else if ("parts" in content) await writeFlushed(file, content.parts())
  else if ("text" in content) await writeFlushed(file, content.text)
  else await writeFlushed(file, `${JSON.stringify(content.json, null, 2)}\n`)
}
