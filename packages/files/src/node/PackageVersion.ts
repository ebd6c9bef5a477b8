import { existsSync, readFileSync } from "node:fs"

/**
 * The version of the package that a module belongs to: in the nearest package.json above it. The module gives its own
 * address, `import.meta.url`. Undefined where no package.json names a version, as in a bundle that stands alone.
 */
export const packageVersion = (moduleUrl: string): string | undefined => {
  for (let folder = new URL(".", moduleUrl); ; folder = new URL("..", folder)) {
    const file = new URL("package.json", folder)
    if (existsSync(file)) {
      const manifest: unknown = JSON.parse(readFileSync(file, "utf8"))
      if (typeof manifest === "object" && manifest !== null && "version" in manifest) return String(manifest.version)
    }
    if (folder.href === new URL("..", folder).href) return undefined
  }
}
