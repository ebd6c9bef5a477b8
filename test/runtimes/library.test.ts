import assert from "node:assert/strict"
import { join } from "node:path"
import { test } from "node:test"
import { runCommand } from "../../scripts/support/Command.ts"
import { installRuntime, runArguments, runtimeEnvironment } from "../../scripts/support/Runtimes.ts"
import { root } from "../../scripts/support/Workspace.ts"

const script = join(root, "test/runtimes/library.ts")
// loss = Σ (x·w)², so the gradient by w is 2·xᵀ·(x·w); w is the identity.
const expected = { loss: [30], "grad.w": [20, 28, 28, 40], found: "b" }

for (const name of ["bun", "deno"] as const)
  test(`${name} builds, differentiates, runs, indexes and searches`, async () => {
    const program = await installRuntime(name)
    const { status, output, stdout } = await runCommand(program, [...runArguments[name], script], {
      env: runtimeEnvironment,
      timeoutSeconds: 120,
    })
    assert.ok(status === 0, output)
    assert.deepEqual(JSON.parse(stdout), expected)
  })
