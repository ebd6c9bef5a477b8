// A device that is given up while it starts must not take the process with it.
import assert from "node:assert/strict"
import { spawn } from "node:child_process"
import { test } from "node:test"
import { fileURLToPath } from "node:url"

const program = fileURLToPath(new URL("../support/interruptedStart.ts", import.meta.url))

const ended = (delay: number): Promise<{ readonly code: number | null; readonly output: string }> =>
  new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [program, `${delay}`], { stdio: ["ignore", "pipe", "inherit"] })
    let output = ""
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      output += text
    })
    child.on("error", reject)
    child.on("close", (code) => resolve({ code, output }))
  })

test("a start that is given up after any time ends well", async () => {
  for (const delay of [0, 40, 80, 120, 160, 240, 400]) {
    assert.deepEqual(await ended(delay), { code: 0, output: "given up\n" }, `after ${delay} ms`)
  }
})
