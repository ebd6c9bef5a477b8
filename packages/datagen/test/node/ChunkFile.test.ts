import assert from "node:assert/strict"
import { mkdtempSync, readdirSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { after, describe, it } from "node:test"
import { Effect } from "effect"
import { chunksAt, growingNumbers } from "../../src/ChunkList.ts"
import { openChunkFile } from "../../src/node/ChunkFile.ts"
import { manyChunks } from "../support/Chunks.ts"

const folder = mkdtempSync(join(tmpdir(), "tandem-chunk-file-"))
after(() => rmSync(folder, { recursive: true, force: true }))

describe("openChunkFile", () => {
  it("gives back what was added, at each place and in order, while more is added", async () => {
    const chunks = manyChunks(400).map((chunk, place) => ({
      ...chunk,
      text: `${"ä€𝄞 ".repeat(place % 50)}${chunk.text}`,
    }))
    await Effect.runPromise(
      Effect.gen(function* () {
        const { add, chunks: kept } = yield* openChunkFile(folder)
        for (const [place, chunk] of chunks.entries()) {
          yield* add(chunk)
          if (place % 7 === 0) assert.deepEqual(kept.at(place), chunk)
        }
        assert.equal(kept.length, chunks.length)
        assert.deepEqual([...kept], chunks)
        assert.deepEqual(kept.at(3), chunks[3])
        assert.equal(kept.at(-1), undefined)
        assert.equal(kept.at(chunks.length), undefined)
        const places = growingNumbers()
        for (let place = 0; place < chunks.length; place += 3) places.push(place)
        const some = chunksAt(kept, places)
        assert.equal(some.length, 400)
        assert.deepEqual(
          [...some],
          chunks.filter((_, place) => place % 3 === 0),
        )
      }).pipe(Effect.scoped),
    )
    assert.deepEqual(readdirSync(folder), [])
  })

  it("names the folder that nothing can be kept in", async () => {
    const failed = await Effect.runPromise(Effect.flip(Effect.scoped(openChunkFile(join(folder, "nowhere")))))
    assert.equal(failed._tag, "OutputFolderFailed")
    assert.equal(failed.field, "path.output_dir")
  })
})

describe("growingNumbers", () => {
  it("holds more than it began with room for", () => {
    const numbers = growingNumbers()
    for (let value = 0; value < 5000; value++) numbers.push(2 * value)
    assert.deepEqual([numbers.length, numbers.at(0), numbers.at(4999), numbers.at(5000)], [5000, 0, 9998, undefined])
  })
})
