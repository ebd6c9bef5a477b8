// What ONNX Runtime has to say of a failure stands in the error, and not on the terminal.
import assert from "node:assert/strict"
import { spawn } from "node:child_process"
import { test } from "node:test"
import { fileURLToPath } from "node:url"

const program = fileURLToPath(new URL("../support/failing.ts", import.meta.url))

test("failures are told by the error alone", async () => {
  const { promise, resolve, reject } = Promise.withResolvers<{ readonly out: string; readonly err: string }>()
  const child = spawn(process.execPath, [program], { stdio: ["ignore", "pipe", "pipe"] })
  const texts = { out: "", err: "" }
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    texts.out += text
  })
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    texts.err += text
  })
  child.on("error", reject)
  child.on("close", () => resolve(texts))
  const { out, err } = await promise
  assert.equal(err, "")
  const [compile, reshape, expand, ...rest] = out.trimEnd().split("\n")
  assert.match(compile ?? "", /^CompileFailed: .*NoSuchOperator/)
  assert.match(reshape ?? "", /^RunFailed: .*Reshape.*\{5,7\}/)
  assert.match(expand ?? "", /^RunFailed: .*Expand.*invalid expand shape/)
  assert.deepEqual(rest, [])
})
