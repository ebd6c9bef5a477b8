import assert from "node:assert/strict"
import { test } from "node:test"
import { Exact } from "@tandem/store"
import { Effect } from "effect"
import { encodeAll } from "../../src/EncodeAll.ts"
import { makeRetrieve } from "../../src/Retrieve.ts"
import { towerFrom, towerName, untiedTowers } from "../../src/Towers.ts"
import { corpus, largestDifference, smallEncoder } from "../support/Encoders.ts"
import { withRuntime } from "../support/Run.ts"

const passages = corpus.map((text, index) => ({ id: `p${index}`, text }))
const questions = ["where do ships go?", "is there snow?", "what is sold?"]

test("over an old index candidates are scored anew by the weights of the moment", () =>
  withRuntime(
    Effect.gen(function* () {
      const towers = untiedTowers(smallEncoder(1))
      const fresh = smallEncoder(2)
      const weights = Object.fromEntries(
        (["query", "passage"] as const).flatMap((side) =>
          [...fresh.parameters].map(([name, value]) => [towerName(towers, side, name), value] as const),
        ),
      )
      const indexed = Effect.fnUntraced(function* (now: typeof weights) {
        const { vectors, dimension } = yield* encodeAll(towerFrom(towers, "passage", now), passages, {
          kind: "passage",
        })
        const store = yield* Exact.make({ dimension, similarity: "dot", fingerprint: "test" })
        yield* store.add({ passages, vectors, fingerprint: "test" })
        return store
      })
      const [old, anew] = [yield* indexed({}), yield* indexed(weights)]
      const found = yield* (yield* makeRetrieve({ towers, store: old, overRetrieve: 3, withVectors: true }))(
        weights,
        questions,
        2,
      )
      const expected = yield* (yield* makeRetrieve({ towers, store: anew, withVectors: true }))(weights, questions, 2)
      const stale = yield* (yield* makeRetrieve({ towers, store: old }))(weights, questions, 2)
      const idsOf = (hits: typeof found) => hits.map((each) => each.map(({ passage }) => passage.id))
      assert.deepEqual(idsOf(found), idsOf(expected))
      assert.notDeepEqual(idsOf(stale), idsOf(expected))
      for (const [index, hits] of found.entries())
        for (const [place, { score, vector }] of hits.entries()) {
          const other = expected[index]![place]!
          assert.ok(Math.abs(score - other.score) < 1e-4 * Math.abs(score) + 1e-4)
          assert.ok(largestDifference(vector!, other.vector!) < 1e-5)
        }
    }),
  ))
