import assert from "node:assert/strict"
import { join } from "node:path"
import { test } from "node:test"
import { encodingOf } from "@tandem/objectives"
import { openRetriever } from "@tandem/objectives/node/OpenRetriever"
import { encodeAll, fingerprint, openIndex, Retriever } from "@tandem/retriever"
import { runPaths } from "@tandem/runs/node/RunFolder"
import { layer } from "@tandem/runtime/node/NodeRuntime"
import { Exact, KnowledgeStore } from "@tandem/store"
import { nodeFolder } from "@tandem/store/node/StoreFolder"
import { Effect } from "effect"
import { searchDpr } from "../../src/SearchDpr.ts"
import { assertError } from "../support/AssertError.ts"
import { fewPassages, writeOwn } from "../support/FewExamples.ts"
import { golden, scratchFolder, tandem, trained } from "../support/Tandem.ts"

const scratch = scratchFolder()
const { data, corpus } = writeOwn(scratch)
const basics = [
  "--data",
  data,
  "--corpus",
  corpus,
  "--model",
  golden("sentence-transformers-tiny"),
  "--batch-size",
  "3",
]
const questions = ["Where does the tower stand?", "Who wrote the song?"]

for (const similarity of ["cosine", "dot"] as const)
  test(`the index of a ${similarity} run is searched through Retriever, with the results of the run's own search`, async () => {
    const run = join(scratch, similarity)
    await trained(...basics, "--similarity", similarity, "--max-length", "24", "--titles", "prefix", "--out", run)
    const folder = nodeFolder(runPaths(run).store)
    const own = await Effect.runPromise(
      searchDpr({ run, questions, k: 4, device: "cpu", threads: 1 }, { observe: () => Effect.void }),
    )
    const found = await Effect.gen(function* () {
      const { towers, retrieval } = yield* openRetriever(run)
      const options = { ...towers, ...encodingOf(retrieval, "passage") }
      const { store, identity } = yield* openIndex(options, (expected) => Exact.open(folder, expected))
      assert.equal(identity.similarity, similarity)
      return yield* Effect.flatMap(Retriever, ({ search }) => search(questions, 4)).pipe(
        Effect.provide(Retriever.layer(options)),
        Effect.provideService(KnowledgeStore, store),
      )
    }).pipe(Effect.provide(layer({ threads: 1 })), Effect.runPromise)
    assert.deepEqual(
      own,
      found.map((list) => list.map(({ passage: { id, title, text }, score }) => ({ id, title, text, score }))),
    )
  })

test("an index that was written with another identity is refused, with the hint to index again", async () => {
  const run = join(scratch, "cosine")
  await Effect.gen(function* () {
    const { towers, retrieval } = yield* openRetriever(run)
    const { vectors, dimension } = yield* encodeAll(towers.passage, fewPassages, {
      ...encodingOf(retrieval, "passage"),
      kind: "passage",
    })
    const identity = { dimension, similarity: "dot", fingerprint: yield* fingerprint(towers.passage) } as const
    yield* nodeFolder(runPaths(run).store).save({ identity, passages: fewPassages, vectors }, [])
  }).pipe(Effect.provide(layer({ threads: 1 })), Effect.runPromise)
  const ended = await tandem(["dpr", "search", "--run", run, "--json", ...questions])
  assertError(ended, { code: 3, tag: "StoreMismatch", field: "similarity", hint: /index the corpus again/ })
})
