import assert from "node:assert/strict"
import { spawnSync } from "node:child_process"
import { test } from "node:test"
import { memoryTunables } from "../../src/node/Memory.ts"

const replaces = process.platform === "linux" && process.execve !== undefined
const script = `
  import { readFileSync } from "node:fs"
  import { keepMemory } from ${JSON.stringify(new URL("../../src/node/Memory.ts", import.meta.url).href)}
  console.error(process.pid)
  keepMemory()
  console.log(JSON.stringify([process.env.GLIBC_TUNABLES, process.pid, process.argv.slice(1), readFileSync(0, "utf8")]))
`

/** What a program that calls `keepMemory` is: its settings, process ids, arguments and standard input. */
const start = (environment: NodeJS.ProcessEnv): unknown => {
  const args = ["--no-warnings", "--input-type=module", "--eval", script, "first", "second words"]
  const { stdout, stderr, status } = spawnSync(process.execPath, args, {
    encoding: "utf8",
    input: "typed",
    env: environment,
  })
  assert.equal(status, 0, stderr)
  const answer: readonly unknown[] = JSON.parse(stdout)
  const [tunables, pid, rest, input] = answer
  const begun = stderr.trim().split("\n")
  return { tunables, starts: begun.length, same: begun.every((id) => id === `${pid}`), rest, input }
}

const { GLIBC_TUNABLES: _, ...environment } = process.env

test("a process starts again with the allocator's settings, itself otherwise", { skip: !replaces }, () => {
  assert.deepEqual(start(environment), {
    tunables: memoryTunables,
    starts: 2,
    same: true,
    rest: ["first", "second words"],
    input: "typed",
  })
})

test("settings that are there already are left", () => {
  const { tunables, starts } = Object(start({ ...environment, GLIBC_TUNABLES: "glibc.malloc.check=0" }))
  assert.deepEqual({ tunables, starts }, { tunables: "glibc.malloc.check=0", starts: 1 })
})
