// trec_eval's figures for graded judgements, from test/golden/graded.py.
import assert from "node:assert/strict"
import { readFileSync } from "node:fs"
import { test } from "node:test"
import { evaluateRetrieval, evaluateRun, rankDocuments, withoutOwnHit } from "@tandem/evals"

type Table = Readonly<Record<string, Readonly<Record<string, number>>>>

const golden: { readonly qrels: Table; readonly run: Table; readonly figures: Table } = JSON.parse(
  readFileSync(new URL("../../../test/golden/graded.json", import.meta.url), "utf8"),
)

const maps = (table: Table) => new Map(Object.entries(table).map(([key, row]) => [key, new Map(Object.entries(row))]))
const near = (found: number | undefined, expected: number | undefined, what: string): void =>
  assert.ok(Math.abs((found ?? Number.NaN) - (expected ?? Number.NaN)) < 1e-9, `${what}: ${found}, not ${expected}`)

test("every figure of every query is trec_eval's", () => {
  const { perQuery } = evaluateRun(maps(golden.qrels), maps(golden.run), { cutoffs: [1, 3, 5, 10, 20] })
  assert.equal(perQuery.size, 15)
  for (const [query, expected] of Object.entries(golden.figures)) {
    for (const [name, value] of Object.entries(expected)) near(perQuery.get(query)?.[name], value, `${query} ${name}`)
  }
})

test("a report's ndcg has grades as gains; its other figures take every grade above 0 as relevant", () => {
  const graded = Object.entries(golden.qrels).filter(([, row]) => Object.values(row).some((grade) => grade > 0))
  const results = graded.map(([query, relevance]) => ({
    ranked: rankDocuments(new Map(Object.entries(golden.run[query] ?? {}))).map((id) => ({ id, text: "" })),
    gold: new Set(Object.keys(relevance).filter((id) => relevance[id]! > 0)),
    answers: [],
    relevance,
  }))
  const { perQuestion, metrics } = evaluateRetrieval({ results })
  const expected = (query: string, name: string): number => golden.figures[query]?.[name] ?? Number.NaN
  graded.forEach(([query], at) => {
    near(perQuestion["ndcg@10"]?.[at], expected(query, "ndcg_cut_10"), query)
    const rank = expected(query, "recip_rank")
    near(perQuestion["mrr@10"]?.[at], rank < 0.1 - 1e-9 ? 0 : rank, query)
    near(perQuestion["recall@5"]?.[at], expected(query, "P_5") > 0 ? 1 : 0, query)
  })
  const mean = graded.reduce((sum, [query]) => sum + expected(query, "ndcg_cut_10"), 0) / graded.length
  near(metrics["ndcg@10"], mean, "mean")
  const binary = evaluateRetrieval({ results: results.map(({ relevance: _, ...rest }) => rest) })
  assert.ok(Math.abs((binary.metrics["ndcg@10"] ?? 0) - mean) > 0.01)
})

test("a hit under the question's own id does not count, unless it is judged relevant", () => {
  const ranked = [{ id: "q" }, { id: "a" }, { id: "b" }]
  assert.deepEqual(withoutOwnHit(ranked, "q", new Set(["a"])), [{ id: "a" }, { id: "b" }])
  assert.deepEqual(withoutOwnHit(ranked, "q", new Set(["q"])), ranked)
  assert.deepEqual(withoutOwnHit(ranked, "z", new Set(["a"])), ranked)
})
