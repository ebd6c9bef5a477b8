import assert from "node:assert/strict"
import { test } from "node:test"
import {
  averagePrecision,
  evaluateRun,
  formatRun,
  InvalidEvaluation,
  InvalidTrecFile,
  ndcg,
  parseQrels,
  parseRun,
  precisionAt,
  rankDocuments,
  recallAt,
  reciprocalRank,
  rPrecision,
} from "@tandem/evals"

test("nDCG of a sole relevant document is 1 / log2(rank + 1)", () => {
  assert.equal(ndcg({ ranked: [1, 0, 0], judged: [1] }), 1)
  assert.equal(ndcg({ ranked: [0, 1, 0], judged: [1] }), 0.6309297535714575)
  assert.equal(ndcg({ ranked: [0, 0, 1], judged: [1] }), 0.5)
  assert.equal(ndcg({ ranked: [0, 0, 1], judged: [1] }, 2), 0)
})

test("nDCG takes the relevance as gain and cuts the ideal ranking too", () => {
  const ranking = { ranked: [1, 0, 3], judged: [3, 1, 2, 0, -1] }
  const ideal = 3 + 2 / Math.log2(3) + 1 / 2
  assert.equal(ndcg(ranking), (1 + 3 / 2) / ideal)
  assert.equal(ndcg(ranking, 2), 1 / (3 + 2 / Math.log2(3)))
  assert.equal(ndcg({ ranked: [0, 0], judged: [0] }), 0)
})

test("binary metrics by hand", () => {
  const ranking = { ranked: [0, 1, 0, 2, 0], judged: [1, 1, 2, 0] }
  assert.equal(averagePrecision(ranking), (1 / 2 + 2 / 4) / 3)
  assert.equal(reciprocalRank(ranking), 0.5)
  assert.equal(reciprocalRank(ranking, 1), 0)
  assert.equal(precisionAt(ranking, 10), 0.2)
  assert.equal(recallAt(ranking, 3), 1 / 3)
  assert.equal(rPrecision(ranking), 1 / 3)
  const hopeless = { ranked: [0, 0], judged: [0] }
  for (const metric of [averagePrecision, reciprocalRank, rPrecision]) assert.equal(metric(hopeless), 0)
  assert.equal(recallAt(hopeless, 2), 0)
})

test("ties are broken by document id descending, in the order of code points and in single precision", () => {
  assert.deepEqual(
    rankDocuments(
      new Map([
        ["a", 1],
        ["c", 1],
        ["b", 1],
        ["z", 0.5],
        ["first", 2],
      ]),
    ),
    ["first", "c", "b", "a", "z"],
  )
  assert.deepEqual(
    rankDocuments(
      new Map([
        ["\u{10000}", 1],
        ["\uffee", 1],
        ["ab", 1],
        ["a", 1],
      ]),
    ),
    ["\u{10000}", "\uffee", "ab", "a"],
  )
  assert.deepEqual(
    rankDocuments(
      new Map([
        ["a", 1 + 1e-12],
        ["b", 1],
      ]),
    ),
    ["b", "a"],
  )
})

test("a run is averaged over the queries that stand on both sides, or over all judged ones", () => {
  const qrels = parseQrels("q1 0 d1 1\nq1 0 d2 0\nq2 0 d1 2\n\nq3 0 d9 1\n")
  const run = parseRun(["q1 Q0 d1 1 0.9 t", "q1 Q0 d2 2 0.95 t", "q2 Q0 d1 1 3 t", "q8 Q0 d1 1 3 t"])
  const { perQuery, summary } = evaluateRun(qrels, run, { cutoffs: [1] })
  assert.deepEqual([...perQuery.keys()], ["q1", "q2"])
  assert.equal(perQuery.get("q1")?.["recip_rank"], 0.5)
  assert.equal(summary["num_q"], 2)
  assert.equal(summary["num_ret"], 3)
  assert.equal(summary["map"], 0.75)
  assert.equal(summary["P_1"], 0.5)
  const complete = evaluateRun(qrels, run, { cutoffs: [1], complete: true })
  assert.equal(complete.summary["num_q"], 3)
  assert.equal(complete.summary["map"], 0.5)
})

test("a run that was written reads back the same", () => {
  const run = new Map([["q", new Map(Object.entries({ a: 0.1, b: 0.30000000000000004, c: 0.1 }))]])
  const text = formatRun(run, "me")
  assert.equal(text, "q Q0 b 1 0.30000000000000004 me\nq Q0 c 2 0.1 me\nq Q0 a 3 0.1 me\n")
  assert.deepEqual(parseRun(text).get("q")?.get("b"), 0.30000000000000004)
})

test("bad input is an error that names file and line", () => {
  const at = (line: number) => (error: unknown) =>
    error instanceof InvalidTrecFile && error._tag === "InvalidTrecFile" && error.line === line
  assert.throws(() => parseQrels("q 0 d 1\nq 0 d\n"), at(2))
  assert.throws(() => parseQrels("q 0 d 0.5\n"), at(1))
  assert.throws(() => parseQrels("q 0 d 1\nq 0 d 1\n"), at(2))
  assert.throws(() => parseRun("q Q0 d 1 nan t\n", "my.run"), /my\.run:1/)
  const qrels = parseQrels("q 0 d 1")
  assert.throws(() => evaluateRun(qrels, new Map()), InvalidEvaluation)
  assert.throws(() => evaluateRun(qrels, new Map([["q", new Map([["d", Number.NaN]])]])), /score of document d/)
  assert.throws(() => evaluateRun(qrels, parseRun("q Q0 d 1 1 t"), { cutoffs: [0] }), /cutoff of 0/)
})
