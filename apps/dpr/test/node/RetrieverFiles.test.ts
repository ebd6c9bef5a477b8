// A finished run whose tokenizer or settings were changed afterwards is not used without a word.
import assert from "node:assert/strict"
import { readFileSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { test } from "node:test"
import { assertError } from "../support/AssertError.ts"
import { writeOwn } from "../support/FewExamples.ts"
import { scratchFolder, succeed, tandem, trained } from "../support/Tandem.ts"

const scratch = scratchFolder()

test("eval and search refuse a retriever whose tokenizer or settings changed, by the file's name", async () => {
  const { data, corpus } = writeOwn(scratch)
  const run = join(scratch, "run")
  const tiny = ["--model", "tiny", "--tiny-hidden", "32", "--tiny-layers", "1", "--tiny-heads", "2"]
  await trained(...tiny, "--data", data, "--corpus", corpus, "--out", run, "--batch-size", "3")
  const search = ["dpr", "search", "--run", run, "the old town"]
  const evaluate = ["dpr", "eval", "--run", run, "--data", data, "--corpus", corpus]
  for (const name of ["tokenizer.json", "1_Pooling/config.json"]) {
    const file = join(run, "retriever", name)
    const before = readFileSync(file, "utf8")
    writeFileSync(file, before.replace("tower", "rivre").replace('"pooling_mode_cls_token": false', '"x": false'))
    assert.notEqual(readFileSync(file, "utf8"), before)
    for (const args of [search, evaluate]) {
      const ended = await tandem([...args, "--json"])
      assertError(ended, {
        tag: "InvalidRun",
        code: 3,
        file,
        message: /another file/,
        hint: /put it back/,
      })
    }
    writeFileSync(file, before)
  }
  await succeed(...search)
  writeFileSync(
    join(run, "retriever", "1_Pooling/config.json"),
    `${readFileSync(join(run, "retriever", "1_Pooling/config.json"), "utf8")} `,
  )
  rmSync(join(run, "retriever-files.json"))
  await succeed(...search)
})
