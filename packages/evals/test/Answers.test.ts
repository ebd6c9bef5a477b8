import assert from "node:assert/strict"
import { test } from "node:test"
import {
  answerTokens,
  exactMatch,
  hasAnswer,
  InvalidEvaluation,
  InvalidPattern,
  normalizeAnswer,
  prepareText,
  tokenF1,
} from "@tandem/evals"

test("answer tokens: runs of letters, numbers and marks, single other characters, lower case, NFD", () => {
  assert.deepEqual(answerTokens("Don't  pay $5.00!"), ["don", "'", "t", "pay", "$", "5", ".", "00", "!"])
  assert.deepEqual(answerTokens("Café"), ["cafe\u0301"])
  assert.deepEqual(answerTokens("\u200b\t "), [])
  assert.deepEqual(answerTokens("1958年にWiiを"), ["1958", "年", "に", "wii", "を"])
})

test("string mode finds a contiguous run of tokens only", () => {
  const passage = "Orville Wright flew on 17 December 1903, at Kitty Hawk."
  assert.equal(hasAnswer(passage, ["17 december 1903"]), true)
  assert.equal(hasAnswer(passage, ["1903 , at"]), true)
  assert.equal(hasAnswer(passage, ["December 17"]), false)
  assert.equal(hasAnswer(passage, ["90"]), false)
  assert.equal(hasAnswer(passage, ["nobody", "KITTY HAWK"]), true)
  assert.equal(hasAnswer(prepareText(passage), ["Wright flew"]), true)
  assert.equal(hasAnswer("Cafe\u0301 noir", ["Café"]), true)
  assert.equal(hasAnswer("富士山は日本で最も高い山である。", ["富士山"]), true)
  assert.equal(hasAnswer("富士山は日本で最も高い山である。", ["富山"]), false)
  assert.equal(hasAnswer("กรุงเทพมหานครเป็นเมืองหลวงของประเทศไทย", ["เมืองหลวง"]), true)
})

test("an answer without tokens matches nothing", () => {
  for (const answer of ["", " ", "\u0000"]) assert.equal(hasAnswer("any text", [answer]), false)
  assert.equal(hasAnswer("any text", []), false)
  assert.equal(hasAnswer("", ["x"]), false)
  assert.equal(hasAnswer("any text", [""], "regex"), false)
})

test("regex mode: no case, line anchors, Python's escapes; a broken pattern is an error", () => {
  assert.equal(hasAnswer("first\nDec(ember)? 17", ["^dec"], "regex"), true)
  assert.equal(hasAnswer("In December", ["dec(ember)?$"], "regex"), true)
  assert.equal(hasAnswer("it's", ["it\\'s"], "regex"), true)
  assert.equal(hasAnswer("December", ["decc"], "regex"), false)
  assert.throws(
    () => hasAnswer("x", ["(unclosed"], "regex"),
    (error) => error instanceof InvalidPattern && error._tag === "InvalidPattern" && error.found === "(unclosed",
  )
})

test("SQuAD normalisation", () => {
  assert.equal(normalizeAnswer("  The  Cat's\ta hat, an end. "), "cats hat end")
  assert.equal(normalizeAnswer("à la theatre"), "à la theatre")
  assert.equal(normalizeAnswer("U.S.A."), "usa")
})

test("exact match and token F1 take the best answer", () => {
  assert.equal(exactMatch("the Cat.", ["dog", "cat"]), 1)
  assert.equal(exactMatch("cats", ["cat"]), 0)
  assert.equal(tokenF1("big black cat", ["cat", "black cat"]), 0.8)
  assert.equal(tokenF1("cat cat", ["cat dog"]), 0.5)
  assert.equal(tokenF1("fish", ["cat"]), 0)
  assert.equal(tokenF1("the", ["a"]), 1)
  assert.equal(tokenF1("the", ["cat"]), 0)
  assert.throws(() => exactMatch("x", []), InvalidEvaluation)
})
