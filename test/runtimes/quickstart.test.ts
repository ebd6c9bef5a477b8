// The quickstart with a few steps instead of all of them: every part of it runs, what it learns is not judged.
import assert from "node:assert/strict"
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { test } from "node:test"
import { runCommand } from "../../scripts/support/Command.ts"
import { installRuntime, runArguments, runtimeEnvironment } from "../../scripts/support/Runtimes.ts"
import { root } from "../../scripts/support/Workspace.ts"

for (const name of ["bun", "deno"] as const)
  test(`the quickstart runs on ${name}`, async () => {
    const out = mkdtempSync(join(tmpdir(), `tandem-quickstart-${name}-`))
    try {
      const program = await installRuntime(name)
      const script = [join(root, "apps/cli/src/quickstart.ts"), "--out", out, "--max-steps", "6"]
      const { status, output } = await runCommand(program, [...runArguments[name], ...script], {
        env: runtimeEnvironment,
        timeoutSeconds: 600,
      })
      assert.ok(status === 0, output)
      const kept: Readonly<Record<string, readonly string[]>> = {
        run: ["retriever/onnx/model.onnx", "retriever/config.json", "store"],
        "story/joint": ["retriever/onnx/model.onnx", "generator/config.json", "store"],
      }
      for (const [run, files] of Object.entries(kept)) {
        const report: Record<string, unknown> = JSON.parse(readFileSync(join(out, run, "report.json"), "utf8"))
        assert.equal(report["steps"], 6)
        for (const file of [...files, "report.html", "metrics.jsonl"])
          assert.ok(existsSync(join(out, run, file)), `${run}/${file} is missing`)
      }
      assert.match(output, /answers that are right/)
    } finally {
      rmSync(out, { recursive: true, force: true })
    }
  })
