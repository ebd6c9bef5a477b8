import { randomBytes } from "node:crypto"
import { readdir, rm, stat } from "node:fs/promises"
import { basename, dirname, join } from "node:path"
import { isAlive } from "../../node/IsAlive.ts"

/** `part` is what is being written, `old` what is on its way out. */
export type AsideKind = "part" | "old"

/** A name beside `path` that no other writer has. */
export const besides = (path: string, kind: AsideKind): string =>
  `${path}.${process.pid}-${randomBytes(6).toString("hex")}.${kind}`

/** Removes what writers of `path` that live no more have left beside it; what cannot be removed stays. */
export const sweep = async (path: string): Promise<void> => {
  const folder = dirname(path)
  for (const name of await readdir(folder)) {
    if (!name.startsWith(basename(path))) continue
    const writer = /^\.(\d+)-[0-9a-f]{12}\.(?:part|old)$/.exec(name.slice(basename(path).length))
    if (writer === null || isAlive(Number(writer[1]))) continue
    await rm(join(folder, name), { recursive: true, force: true }).catch(() => undefined)
  }
}

export const isThere = (path: string): Promise<boolean> =>
  stat(path).then(
    () => true,
    () => false,
  )
