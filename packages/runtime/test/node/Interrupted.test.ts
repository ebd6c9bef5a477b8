// A device that is given up while it starts or works must not take the process with it.
import assert from "node:assert/strict"
import { spawn } from "node:child_process"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { after, test } from "node:test"
import { fileURLToPath } from "node:url"

const support = (name: string): string => fileURLToPath(new URL(`../support/${name}`, import.meta.url))
const folder = mkdtempSync(join(tmpdir(), "tandem-interrupted-"))
after(() => rmSync(folder, { recursive: true, force: true }))

/** A start that is given up so long after the file is there; the device's thread writes it where it is not. */
const ended = (file: string, delay: number): Promise<{ readonly code: number | null; readonly output: string }> =>
  new Promise((resolve, reject) => {
    const args = [
      "--import",
      new URL("../support/toldLoading.ts", import.meta.url).href,
      support("interruptedStart.ts"),
    ]
    const child = spawn(process.execPath, [...args, `${delay}`], {
      stdio: ["ignore", "pipe", "inherit"],
      env: { ...process.env, LOADED: file },
    })
    let output = ""
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      output += text
    })
    child.on("error", reject)
    child.on("close", (code) => resolve({ code, output }))
  })

test("a start that is given up at once ends well", async () => {
  const file = join(folder, "at-once")
  writeFileSync(file, "")
  assert.deepEqual(await ended(file, 0), { code: 0, output: "given up\n" })
})

test("a start that is given up while ONNX Runtime starts ends well", async () => {
  for (const delay of [0, 2, 10, 50]) {
    const found = await ended(join(folder, `loaded-${delay}`), delay)
    assert.deepEqual(found, { code: 0, output: "given up\n" }, `${delay} ms after its library was loaded`)
  }
})

test("a process ends with its own code while its device works", async () => {
  const child = spawn(process.execPath, [support("exitAtWork.ts")], { stdio: ["ignore", "ignore", "inherit"] })
  const ended = await new Promise((resolve) => child.on("close", (code, signal) => resolve({ code, signal })))
  assert.deepEqual(ended, { code: 7, signal: null })
})
