// A run writes into its own folder, and nowhere else.
import assert from "node:assert/strict"
import { mkdirSync, readdirSync } from "node:fs"
import { join } from "node:path"
import { test } from "node:test"
import { writeOwn } from "../support/FewExamples.ts"
import { scratchFolder, tandem } from "../support/Tandem.ts"

const scratch = scratchFolder()

test("training, evaluating and searching leave nothing in the home folder, and the compiled code in the temporary one", async () => {
  const { data, corpus } = writeOwn(scratch)
  const [home, temporary, run] = [join(scratch, "home"), join(scratch, "tmp"), join(scratch, "run")]
  for (const folder of [home, temporary]) mkdirSync(folder)
  const places = { HOME: home, USERPROFILE: home, TMPDIR: temporary, TEMP: temporary }
  const caches = { XDG_CACHE_HOME: join(home, ".cache"), XDG_CONFIG_HOME: join(home, ".config") }
  // What the machine of the test says of telemetry does not decide.
  const environment = { ...places, ...caches, ORT_DISABLE_TELEMETRY: undefined }
  const tiny = ["--model", "tiny", "--tiny-hidden", "32", "--tiny-layers", "1", "--tiny-heads", "2", "--threads", "1"]
  for (const args of [
    ["dpr", "train", ...tiny, "--data", data, "--corpus", corpus, "--out", run, "--batch-size", "3"],
    ["dpr", "eval", "--run", run, "--data", data, "--corpus", corpus],
    ["dpr", "search", "--run", run, "old town"],
  ]) {
    const ended = await tandem(args, { environment })
    assert.equal(ended.code, 0, ended.stderr)
  }
  assert.deepEqual(readdirSync(home), [])
  assert.deepEqual(
    readdirSync(temporary).filter((name) => name !== "node-compile-cache"),
    [],
  )
})
