import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import type { TestContext } from "node:test"

/** A folder of files that goes with the test. */
export const folderOf = async (
  t: TestContext,
  files: Readonly<Record<string, string | Uint8Array>>,
): Promise<string> => {
  const folder = await mkdtemp(join(tmpdir(), "tandem-documents-"))
  t.after(() => rm(folder, { recursive: true, force: true }))
  for (const [name, content] of Object.entries(files)) {
    await mkdir(dirname(join(folder, name)), { recursive: true })
    await writeFile(join(folder, name), content)
  }
  return folder
}
