import { existsSync, readFileSync } from "node:fs"

/** The package's version. Its package.json lies beside the sources' folder, and beside the files themselves once built. */
export const version = (): string => {
  const file = [new URL("./package.json", import.meta.url), new URL("../package.json", import.meta.url)].find((url) =>
    existsSync(url),
  )
  const manifest: unknown = file === undefined ? undefined : JSON.parse(readFileSync(file, "utf8"))
  const known = typeof manifest === "object" && manifest !== null && "version" in manifest
  return known ? String(manifest.version) : "unknown"
}
