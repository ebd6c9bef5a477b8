// An index whose vectors are older than its encoder is searched beside one of the moment: both figures stand in a run's rows.
import assert from "node:assert/strict"
import { test } from "node:test"
import { tinyEncoder, trainWordPiece } from "@tandem/models"
import { encodeAll, sharedTower, towerFrom } from "@tandem/retriever"
import { layer } from "@tandem/runtime/node/NodeRuntime"
import { Exact } from "@tandem/store"
import { Effect } from "effect"
import { searchDev } from "../../src/retrieval/SearchDev.ts"

const passages = ["the river was long", "a road of stone", "bread and salt", "birds sing at dawn"].map(
  (text, index) => ({
    id: `p${index}`,
    text,
  }),
)
const vocabulary = trainWordPiece(
  passages.map(({ text }) => text),
  { vocabularySize: 80 },
)
const encoder = tinyEncoder({ seed: 1, vocabulary, hidden: 16, layers: 1, heads: 2, intermediate: 32 })
const towers = sharedTower(encoder)

test("what an aged index finds is told beside what vectors of the moment find", async () => {
  const found = await Effect.runPromise(
    Effect.gen(function* () {
      const { vectors, dimension } = yield* encodeAll(
        towerFrom(towers, "passage"),
        passages.map(({ text }) => text),
        { similarity: "cosine", maxLength: 16, kind: "passage" },
      )
      const identity = { dimension, similarity: "dot", fingerprint: "f" } as const
      const [fresh, aged] = [yield* Exact.make(identity), yield* Exact.make(identity)]
      yield* fresh.replace({ identity, passages, vectors })
      // The first three passages lie where another one does.
      const rows = [2, 0, 1, 3].flatMap((row) => [...vectors.subarray(row * dimension, (row + 1) * dimension)])
      yield* aged.replace({ identity, passages, vectors: Float32Array.from(rows) })
      const corpus = new Map(passages.map((passage) => [passage.id, passage]))
      const examples = passages.map(({ id, text }) => ({
        ...{ id: `q-${id}`, query: text, answers: [], positives: [id], negatives: [] },
      }))
      const counts = { rows: 4, examples: 4, droppedWithoutPositive: 0, passages: 4, answersNotInPositives: 0 }
      return yield* searchDev(towerFrom(towers, "query"), fresh, {
        dev: { examples, corpus, statistics: { ...counts, withNegatives: 0 }, warnings: [] },
        ...{ corpus, k: 1, inUse: aged, observe: () => Effect.void },
        retrieval: {
          ...{ similarity: "cosine", temperature: 1, titles: undefined },
          maxLength: { query: 16, passage: 16 },
        },
      })
    }).pipe(Effect.provide(layer({ threads: 1 })), Effect.scoped),
  )
  assert.equal(found.metrics["recall@1"], 1)
  assert.equal(found.metrics["inUse.recall@1"], 1 / 4)
  assert.ok(found.metrics["inUse.mrr@10"]! > 1 / 4 && found.metrics["inUse.mrr@10"]! < 1)
})
