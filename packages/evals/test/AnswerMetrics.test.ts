// Figures of SQuAD's and MLQA's official scripts and of Google's rouge_score, from test/golden/answers_metrics.py.
import assert from "node:assert/strict"
import { readFileSync } from "node:fs"
import { test } from "node:test"
import { exactMatch, InvalidEvaluation, normalizeAnswer, rougeL, tokenF1 } from "@tandem/evals"

interface Case {
  readonly prediction: string
  readonly answers: readonly string[]
  readonly exactMatch: number
  readonly f1: number
  readonly rougeL?: number
}

const golden: { readonly english: readonly Case[]; readonly chinese: readonly Case[] } = JSON.parse(
  readFileSync(new URL("../../../test/golden/answer-metrics.json", import.meta.url), "utf8"),
)

const near = (found: number, expected: number, what: string): void =>
  assert.ok(Math.abs(found - expected) < 1e-12, `${what}: ${found}, not ${expected}`)

for (const [language, cases] of Object.entries(golden))
  test(`exact match and F1 are the official script's: ${language}`, () => {
    assert.ok(cases.length >= 9)
    for (const { prediction, answers, ...expected } of cases) {
      const what = JSON.stringify([prediction, answers])
      assert.equal(exactMatch(prediction, answers), expected.exactMatch, what)
      near(tokenF1(prediction, answers), expected.f1, what)
    }
  })

test("ROUGE-L is Google's without the stemmer", () => {
  for (const { prediction, answers, rougeL: expected = Number.NaN } of golden.english)
    near(rougeL(prediction, answers), expected, JSON.stringify([prediction, answers]))
})

test("scripts without spaces count by the character, whatever the spaces and the punctuation", () => {
  assert.equal(normalizeAnswer("ภูเขา ไฟฟูจิ"), normalizeAnswer("ภูเขาไฟฟูจิ"))
  assert.equal(exactMatch("「富士山」です。", ["富士山です"]), 1)
  near(tokenF1("富士山と琵琶湖", ["富士山"]), 0.6, "half of it")
  near(rougeL("富士山と琵琶湖", ["富士山"]), 0.6, "half of it")
  assert.equal(rougeL("スーパー", ["スーパー"]), 1)
})

test("ROUGE-L counts words of any script, in order", () => {
  near(rougeL("Москва слезам верит", ["Москва слезам не верит"]), 6 / 7, "Cyrillic")
  near(rougeL("верит слезам Москва", ["Москва слезам не верит"]), 2 / 7, "in another order")
  assert.equal(rougeL("γλώσσα", ["λόγος"]), 0)
  assert.equal(rougeL("!", ["!"]), 0)
  assert.throws(() => rougeL("x", []), InvalidEvaluation)
})
