// What a page that uses one package has to download.
import assert from "node:assert/strict"
import { test } from "node:test"
import { build } from "esbuild"
import { root } from "../../scripts/support/Workspace.ts"

/** Modules that a minified browser bundle of one package contains, with their sizes. */
async function bundle(name: string, platform: "browser" | "node" = "browser"): Promise<ReadonlyMap<string, number>> {
  const { metafile } = await build({
    stdin: { contents: `export * from "${name}"`, resolveDir: `${root}/test` },
    bundle: true,
    minify: true,
    format: "esm",
    platform,
    ...(platform === "node" ? { external: ["*.node"] } : {}),
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

test("a bundle for pages holds onnxruntime-web alone, one for Node none of it, the service nothing at all", async () => {
  const runtimes = async (name: string, platform: "browser" | "node") =>
    new Set(
      [...(await bundle(name, platform)).keys()].flatMap(
        (file) => /node_modules\/(onnxruntime-(?:web|node))\//.exec(file)?.[1] ?? [],
      ),
    )
  assert.deepEqual([...(await runtimes("@tandem/runtime", "browser"))], [])
  assert.deepEqual([...(await runtimes("@tandem/trainers", "browser"))], [])
  assert.deepEqual([...(await runtimes("@tandem/runtime/web/WebRuntime", "browser"))], ["onnxruntime-web"])
  // The thread that loads onnxruntime-node is a file of its own.
  assert.deepEqual([...(await runtimes("@tandem/runtime/node/NodeRuntime", "node"))], [])
})

test("a bundle of the store and of the retriever for the edge holds nothing that a platform has to bring", async () => {
  for (const name of ["@tandem/store", "@tandem/retriever"]) {
    const files = [...(await bundle(name)).keys()]
    assert.ok(files.some((file) => file.startsWith("packages/store/src/")))
    const bound = files.filter((file) => /node_modules\/(usearch|onnxruntime-)|src\/(internal\/)?node\//.test(file))
    assert.deepEqual(bound, [])
  }
})
