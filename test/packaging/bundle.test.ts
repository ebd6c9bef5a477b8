// What a page that uses one package has to download.
import assert from "node:assert/strict"
import { test } from "node:test"
import { build } from "esbuild"
import { root } from "../../scripts/support/Workspace.ts"

/** Modules that a minified browser bundle of one package contains, with their sizes. */
async function bundle(name: string): Promise<ReadonlyMap<string, number>> {
  const { metafile } = await build({
    stdin: { contents: `export * from "${name}"`, resolveDir: `${root}/test` },
    bundle: true,
    minify: true,
    format: "esm",
    platform: "browser",
    metafile: true,
    write: false,
    absWorkingDir: root,
  })
  const [output] = Object.values(metafile.outputs)
  const inputs = Object.entries(output?.inputs ?? {}).map(([file, { bytesInOutput }]) => [file, bytesInOutput] as const)
  return new Map(inputs.filter(([, bytes]) => bytes > 0))
}

test("a bundle of @tandem/losses alone holds neither ONNX Runtime nor Effect's platform parts", async () => {
  const modules = await bundle("@tandem/losses")
  const files = [...modules.keys()]
  assert.ok(
    files.some((file) => file.startsWith("packages/losses/src/")),
    "the losses themselves are in the bundle",
  )
  const effect = "node_modules/effect/dist/"
  const platformParts = [
    ...["FileSystem", "Path", "Terminal", "Stdio", "PlatformError"].map((module) => `${effect}${module}.js`),
    ...["http", "http-api", "net", "socket", "process", "workers", "cli", "sql", "rpc", "cluster", "ai", "crypto"].map(
      (folder) => `${effect}${folder}/`,
    ),
  ]
  const unwanted = (file: string) =>
    /onnxruntime|node_modules\/@effect\//.test(file) || platformParts.some((part) => file.startsWith(part))
  assert.deepEqual(files.filter(unwanted), [])
})
