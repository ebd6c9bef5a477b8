import assert from "node:assert/strict"
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { after, test } from "node:test"
import { checkLayers } from "../scripts/check-layers.ts"

const base = mkdtempSync(join(tmpdir(), "tandem-layers-"))
after(() => rmSync(base, { recursive: true, force: true }))

const write = (file: string, lines: ReadonlyArray<string>) => {
  mkdirSync(dirname(join(base, file)), { recursive: true })
  writeFileSync(join(base, file), `${lines.join("\n")}\n`)
}
const manifest = (path: string, name: string, dependencies: Record<string, string> = {}, rest: object = {}) =>
  write(`${path}/package.json`, [JSON.stringify({ name: `@tandem/${name}`, version: "0.1.0", dependencies, ...rest })])

manifest("packages/onnx", "onnx", {}, { peerDependencies: { effect: "^4.1.0" }, devDependencies: { effect: "4.1.0" } })
manifest("packages/runtime", "runtime", { "@tandem/onnx": "0.1.0", "@tandem/losses": "0.1.0" })
manifest("packages/losses", "losses", { "@tandem/onnx": "0.1.0", loose: "^1.2.3" })
manifest("packages/stranger", "stranger")
manifest("packages/evals", "evals", { effect: "4.1.0" }, { peerDependencies: { usearch: "^2.0.0" } })
manifest("apps/cli", "cli", { "@tandem/runtime": "0.1.0", effect: "4.1.0" })

write("packages/onnx/src/index.ts", [
  'export { a } from "./A.ts"',
  "/**",
  " * ```ts",
  ' * import { readFileSync } from "node:fs"',
  " * ```",
  " */",
  'import { Schema } from "effect"',
  "export const schema = Schema",
])
write("packages/onnx/src/A.ts", ["// first", 'import { b } from "./B.ts"', "export const a = () => b"])
write("packages/onnx/src/B.ts", ["import {", "  type a,", '} from "./A.ts"', "export const b: typeof a = () => b"])
write("packages/onnx/src/Platform.ts", ['import { readFileSync } from "node:fs"', "export { readFileSync }"])
write("packages/onnx/src/Loads.ts", ["export const load = () =>", '  import("./node/Files.ts")'])
write("packages/onnx/src/node/Files.ts", ['export { readFileSync } from "node:fs"'])
write("packages/onnx/src/testing.ts", ['export { test } from "node:test"'])
write("packages/runtime/src/index.ts", [
  'import type { Loss } from "@tandem/losses"',
  'import { hidden } from "@tandem/onnx/internal/hidden"',
  'import { x } from "../../onnx/src/A.ts"',
  'import "undeclared/part"',
  'import { Fine } from "@tandem/onnx"',
  "export type { Loss }",
  "export { hidden, x, Fine }",
])
write("packages/runtime/test/a.test.ts", ['import { hidden } from "@tandem/onnx/internal/hidden"', "hidden()"])
write("packages/losses/src/index.ts", ['import { self } from "@tandem/losses"', "export { self }"])
write("apps/cli/src/main.ts", ['import { spawn } from "node:child_process"', 'import "@tandem/runtime"', "spawn()"])

const expected: ReadonlyArray<readonly [file: string, line: number, message: RegExp]> = [
  ["packages/evals/package.json", 1, /depends on effect: make it a peer dependency/],
  ["packages/evals/package.json", 1, /the peer usearch, but no devDependency/],
  ["packages/losses/package.json", 1, /loose@\^1\.2\.3: pin an exact version/],
  ["packages/losses/src/index.ts", 1, /imports itself/],
  ["packages/onnx/src/A.ts", 2, /import cycle: .*A\.ts → .*B\.ts → .*A\.ts/],
  ["packages/onnx/src/Loads.ts", 2, /must not load what lies in node\//],
  ["packages/onnx/src/Platform.ts", 1, /node:fs: only src\/node\//],
  ["packages/runtime/src/index.ts", 1, /@tandem\/losses \(layer 3\) from layer 1/],
  ["packages/runtime/src/index.ts", 2, /internal modules/],
  ["packages/runtime/src/index.ts", 3, /a file of another package/],
  ["packages/runtime/src/index.ts", 4, /undeclared, which package\.json does not declare/],
  ["packages/runtime/test/a.test.ts", 1, /internal modules/],
  ["packages/stranger/package.json", 1, /has no layer/],
]

test("every planted violation is reported with its file and line, and nothing else is", () => {
  const found = checkLayers(base)
  assert.deepEqual(
    found.map(({ file, line }) => `${file}:${line}`),
    expected.map(([file, line]) => `${file}:${line}`),
  )
  for (const [index, [, , message]] of expected.entries()) assert.match(found[index]!.message, message)
})

test("this repository has no violation", () => {
  assert.deepEqual(checkLayers(), [])
})
