import { spawnSync } from "node:child_process"
import { existsSync } from "node:fs"
import { join } from "node:path"

/** Names that Chromium goes by. */
const names = ["chromium", "chromium-browser", "google-chrome"]

/** The program of a Chromium on this machine; a test that needs one fails without. */
export const chromiumProgram = (): string => {
  const found = names.map((name) => spawnSync("which", [name], { encoding: "utf8" }).stdout.trim()).find(Boolean)
  if (found === undefined) throw new Error(`missing: a Chromium on the PATH (apt-get install chromium)`)
  return found
}

const folders = ["/usr/lib/chromium", "/usr/lib/chromium-browser", "/opt/google/chrome"]

/** Variables under which Vulkan is SwiftShader, the software device that comes with Chromium. */
export const swiftShader = (): Readonly<Record<string, string>> => {
  const folder = folders.find((candidate) => existsSync(join(candidate, "vk_swiftshader_icd.json")))
  if (folder === undefined)
    throw new Error(`missing: vk_swiftshader_icd.json in ${folders.join(" or ")} (apt-get install chromium)`)
  return { VK_ICD_FILENAMES: join(folder, "vk_swiftshader_icd.json"), LD_LIBRARY_PATH: folder }
}
