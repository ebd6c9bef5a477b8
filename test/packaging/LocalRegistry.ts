// A package registry on this machine for the packages of this repository: what a person would get once they are
// published, so that each client resolves and unpacks them in its own way.
import { createHash } from "node:crypto"
import { existsSync, globSync, mkdirSync, readFileSync } from "node:fs"
import { createServer } from "node:http"
import { basename, join } from "node:path"
import { runCommand } from "../../scripts/support/Command.ts"
import { listWorkspaces, readManifest, root, type Workspace } from "../../scripts/support/Workspace.ts"

export interface LocalRegistry {
  readonly url: string
  /** Packages that were built and can be installed from here. */
  readonly built: ReadonlyArray<Workspace>
  /** What the build printed, to explain a package that is missing from `built`. */
  readonly buildOutput: string
  readonly close: () => Promise<void>
}

/** Builds every package, packs what the builds left in dist/ and serves the tarballs. */
export async function startRegistry(folder: string): Promise<LocalRegistry> {
  const build = await runCommand(process.execPath, ["scripts/build.ts", "--continue=dependencies-successful"])
  const built = listWorkspaces().filter(({ path }) => existsSync(join(root, path, "dist/package.json")))
  mkdirSync(folder, { recursive: true })
  const documents = new Map<string, object>()
  const tarballs = new Map<string, Buffer>()
  const server = createServer((request, response) => {
    const path = decodeURIComponent(request.url ?? "").slice(1)
    const tarball = tarballs.get(basename(path))
    const document = documents.get(path)
    if (tarball !== undefined) response.setHeader("content-type", "application/octet-stream").end(tarball)
    else if (document !== undefined)
      response.setHeader("content-type", "application/json").end(JSON.stringify(document))
    else response.writeHead(404, { "content-type": "application/json" }).end(JSON.stringify({ error: "not found" }))
  })
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  const address = server.address()
  if (address === null || typeof address === "string") throw new Error("the local registry has no port")
  const url = `http://127.0.0.1:${address.port}/`

  const dists = built.map(({ path }) => `./${path}/dist`)
  const pack = await runCommand("npm", ["pack", ...dists, "--pack-destination", folder, "--silent"])
  if (pack.status !== 0) throw new Error(`npm pack failed\n${pack.output}`)
  const files = globSync("*.tgz", { cwd: folder })
  for (const { name, path } of built) {
    const manifest = readManifest(join(root, path, "dist"))
    const file = `${name.replace("@", "").replace("/", "-")}-${manifest.version}.tgz`
    if (!files.includes(file)) throw new Error(`npm pack did not write ${file}`)
    const content = readFileSync(join(folder, file))
    const digest = (algorithm: string, encoding: "hex" | "base64") =>
      createHash(algorithm).update(content).digest(encoding)
    tarballs.set(file, content)
    documents.set(name, {
      name,
      "dist-tags": { latest: manifest.version },
      versions: {
        [manifest.version]: {
          ...manifest,
          dist: {
            tarball: `${url}${name}/-/${file}`,
            integrity: `sha512-${digest("sha512", "base64")}`,
            shasum: digest("sha1", "hex"),
          },
        },
      },
    })
  }
  return { url, built, buildOutput: build.output, close: () => new Promise((resolve) => server.close(() => resolve())) }
}
