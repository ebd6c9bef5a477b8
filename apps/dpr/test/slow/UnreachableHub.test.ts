// Runs whose model is on a hub that cannot be reached, many at once: data, models and the device start at the same time.
import { join } from "node:path"
import { test } from "node:test"
import { assertError, assertNothingWritten } from "../support/AssertError.ts"
import { writeOwn } from "../support/FewExamples.ts"
import { scratchFolder, tandem } from "../support/Tandem.ts"

const scratch = scratchFolder()

test("50 starts without a hub end in HubError, 10 at a time", async () => {
  const { data, corpus } = writeOwn(scratch)
  // Nothing listens on the port for discarded text.
  const environment = { HF_ENDPOINT: "http://127.0.0.1:9", TANDEM_CACHE: join(scratch, "cache") }
  const once = async (number: number): Promise<void> => {
    const run = join(scratch, `run-${number}`)
    const files = ["--data", data, "--corpus", corpus, "--out", run]
    const ended = await tandem(["dpr", "train", "--model", "acme/nowhere", ...files, "--json"], { environment })
    assertError(ended, { tag: "HubError", code: 4, field: "network" })
    assertNothingWritten(run)
  }
  for (let start = 0; start < 50; start += 10) {
    await Promise.all(Array.from({ length: 10 }, (_, index) => once(start + index)))
  }
})
