// Fails where a tracked file names a package registry's host or an absolute path of somebody's machine.
// Usage: node scripts/check-mentions.ts
import { execFileSync } from "node:child_process"
import { existsSync, readFileSync, statSync } from "node:fs"
import { join } from "node:path"
import { root } from "./support/Workspace.ts"

// Spelled in parts, so that this file does not mention what it looks for.
const registries = ["registry.npmjs" + ".org", "registry.yarnpkg" + ".com", "pypi" + ".org", "npm.jsr" + ".io"]
const machinePaths = ["/wo" + "rk/", "/ro" + "ot/", "/ho" + "me/", "/Us" + "ers/"]

export interface Mention {
  readonly file: string
  readonly line: number
  readonly text: string
}

/** Mentions in the files that git tracks below `base`; binary files and files over 4 MiB are passed over. */
export function findMentions(base: string = root): ReadonlyArray<Mention> {
  const files = execFileSync("git", ["ls-files", "-z"], { cwd: base, encoding: "utf8" }).split("\0").filter(Boolean)
  return files.flatMap((file) => {
    const path = join(base, file)
    if (!existsSync(path) || statSync(path).size > 4 * 1024 * 1024) return []
    const content = readFileSync(path, "utf8")
    if (content.includes("\0")) return []
    return content.split("\n").flatMap((text, index) => (isMention(text) ? [{ file, line: index + 1, text }] : []))
  })
}

function isMention(text: string): boolean {
  if (registries.some((host) => text.includes(host))) return true
  return machinePaths.some((path) => {
    const at = text.indexOf(path)
    return at === 0 || (at > 0 && /[\s"'`(=:]/.test(text[at - 1]!))
  })
}

if (import.meta.main) {
  const mentions = findMentions()
  for (const { file, line, text } of mentions) console.error(`${file}:${line} ${text.trim().slice(0, 160)}`)
  process.exitCode = mentions.length > 0 ? 1 : 0
}
