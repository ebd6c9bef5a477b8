// Agreement with trec_eval's own output for its own test files. Needs $TANDEM_DATA/trec_eval.
import assert from "node:assert/strict"
import { existsSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { test } from "node:test"
import { evaluateRetrieval, evaluateRun, parseQrels, parseRun, type RankingFigures, rankDocuments } from "@tandem/evals"

const read = (name: string): string => {
  const root = process.env["TANDEM_DATA"]
  assert.ok(root, "TANDEM_DATA is not set: point it at the folder that holds trec_eval/ (qrels.test, results.test, …)")
  const path = join(root, "trec_eval", name)
  assert.ok(existsSync(path), `${path} is missing: TANDEM_DATA must point at the folder that holds trec_eval/`)
  return readFileSync(path, "utf8")
}

const evaluate = () => evaluateRun(parseQrels(read("qrels.test")), parseRun(read("results.test")))

const cutoffs = [5, 10, 15, 20, 30, 100, 200, 500, 1000]
const counts = ["num_ret", "num_rel", "num_rel_ret"]
const measures = [
  ...["map", "Rprec", "recip_rank", "ndcg"],
  ...cutoffs.flatMap((k) => [`P_${k}`, `recall_${k}`, `ndcg_cut_${k}`]),
]

const expected = (name: string): ReadonlyMap<string, ReadonlyMap<string, string>> => {
  const rows = new Map<string, Map<string, string>>()
  for (const line of read(name).split("\n")) {
    const [measure, query, value] = line.trim().split(/\s+/)
    if (measure === undefined || query === undefined || value === undefined) continue
    const row = rows.get(query) ?? new Map<string, string>()
    rows.set(query, row.set(measure, value))
  }
  return rows
}

const assertAgrees = (figures: RankingFigures | undefined, printed: ReadonlyMap<string, string> | undefined) => {
  assert.ok(figures !== undefined && printed !== undefined)
  for (const name of counts) assert.equal(String(figures[name]), printed.get(name), name)
  for (const name of measures) assert.equal(figures[name]?.toFixed(4), printed.get(name), name)
}

test("summary agrees with trec_eval to all four printed digits", () => {
  const { summary } = evaluate()
  for (const name of ["expected.all", "expected.per-query"]) {
    const printed = expected(name).get("all")
    assert.equal(String(summary["num_q"]), printed?.get("num_q"))
    assertAgrees(summary, printed)
  }
})

test("every query agrees with trec_eval to all four printed digits", () => {
  const { perQuery } = evaluate()
  const printed = expected("expected.per-query")
  assert.deepEqual([...perQuery.keys()].sort(), [...printed.keys()].filter((query) => query !== "all").sort())
  for (const [query, figures] of perQuery) assertAgrees(figures, printed.get(query))
})

test("a report's ndcg@10 agrees with trec_eval's ndcg_cut_10", () => {
  const qrels = parseQrels(read("qrels.test"))
  const run = [...parseRun(read("results.test"))]
  const results = run.map(([query, documents]) => {
    const relevance = Object.fromEntries(qrels.get(query) ?? [])
    const gold = new Set(Object.keys(relevance).filter((id) => relevance[id]! > 0))
    return { ranked: rankDocuments(documents).map((id) => ({ id, text: "" })), gold, answers: [], relevance }
  })
  const { metrics, perQuestion } = evaluateRetrieval({ results })
  const printed = expected("expected.per-query")
  assert.equal(metrics["ndcg@10"]?.toFixed(4), printed.get("all")?.get("ndcg_cut_10"))
  run.forEach(([query], at) => {
    assert.equal(perQuestion["ndcg@10"]?.[at]?.toFixed(4), printed.get(query)?.get("ndcg_cut_10"), query)
  })
})
