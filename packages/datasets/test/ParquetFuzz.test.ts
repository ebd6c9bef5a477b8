// Damaged Parquet files end in a tagged error or in rows, in bounded time and memory.
import assert from "node:assert/strict"
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { after, test } from "node:test"
import { Random } from "@tandem/random"
import { Effect, Result } from "effect"
import { isDatasetError } from "../src/index.ts"
import { readExamples } from "../src/node/Files.ts"

const rounds = Number(process.env["TANDEM_FUZZ"] ?? 500)
const folder = mkdtempSync(join(tmpdir(), "parquet-"))
after(() => rmSync(folder, { recursive: true, force: true }))

/** A copy with a few other bytes, most of them in the description at the end; some are cut off. */
const damaged = (bytes: Uint8Array, random: Random): Uint8Array => {
  if (random.integer(6) === 0) return bytes.slice(0, random.integer(bytes.length))
  const copy = bytes.slice()
  for (let count = 1 + random.integer(3); count > 0; count--) {
    const at =
      random.integer(3) === 0 ? random.integer(copy.length) : copy.length - 1 - random.integer(copy.length >> 1)
    copy[at] = random.integer(2) === 0 ? random.integer(256) : copy[at]! ^ (1 << random.integer(8))
  }
  return copy
}

for (const name of ["triplet", "pandas-gzip", "squad-table"]) {
  test(`${name}.parquet: ${rounds} mutations`, async () => {
    const bytes = readFileSync(new URL(`../../../test/golden/layouts/${name}.parquet`, import.meta.url))
    const before = process.memoryUsage().rss
    let refused = 0
    for (let round = 0; round < rounds; round++) {
      const file = join(folder, `${name}.parquet`)
      writeFileSync(file, damaged(bytes, Random.fromSeed(`${name} ${round}`)))
      const result = await Effect.runPromise(
        Effect.result(readExamples(file)).pipe(
          Effect.timeout("20 seconds"),
          Effect.catchDefect((defect) => Effect.die(new Error(`${name}, round ${round}`, { cause: defect }))),
        ),
      )
      if (Result.isSuccess(result)) continue
      refused++
      assert.ok(isDatasetError(result.failure) && result.failure.file === file, `${name}, round ${round}`)
    }
    const grown = (process.memoryUsage().rss - before) / 2 ** 20
    assert.ok(refused > 0 && grown < 1024, `${refused} refused, ${Math.round(grown)} MiB more`)
  })
}
