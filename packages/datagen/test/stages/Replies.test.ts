import assert from "node:assert/strict"
import { describe, it } from "node:test"
import { Result } from "effect"
import { readAnsweredQuestions, readQuestions, readTurns, readVerdict } from "../../src/index.ts"

const failure = <A>(result: Result.Result<A, string>) => (Result.isFailure(result) ? result.failure : undefined)
const success = <A>(result: Result.Result<A, string>) => (Result.isSuccess(result) ? result.success : undefined)

describe("readVerdict", () => {
  it("takes the verdict's field and nothing else", () => {
    assert.deepEqual(success(readVerdict('{"reason": "an index, not suitable", "suitable": false}')), {
      suitable: false,
      reason: "an index, not suitable",
    })
    assert.equal(success(readVerdict('I think\n```json\n{"suitable": "yes"}\n```'))?.suitable, true)
    assert.equal(success(readVerdict('{"suitable": true} or rather {"suitable": false}'))?.suitable, false)
    for (const reply of ["Suitable", "Not suitable", '{"verdict": true}', '{"suitable": "maybe"}', '{"suitable": tr']) {
      assert.match(failure(readVerdict(reply)) ?? "", /no JSON object/, reply)
    }
  })
})

describe("readTurns", () => {
  const json = (...turns: readonly object[]) => JSON.stringify({ turns })

  it("reads pairs, and keeps thoughts apart from answers", () => {
    const reply = json(
      { question: " Why? ", answer: "<think>let me see</think>Because." },
      { question: "And then?", thoughts: "the second passage", answer: "Then." },
    )
    assert.deepEqual(success(readTurns(`Here it is: ${reply}`)), [
      { role: "user", text: "Why?" },
      { role: "assistant", text: "Because.", thoughts: "let me see" },
      { role: "user", text: "And then?" },
      { role: "assistant", text: "Then.", thoughts: "the second passage" },
    ])
  })

  it("reads lines with labels, which small models write", () => {
    const expected = [
      { role: "user", text: "Why?" },
      { role: "assistant", text: "Because\nof this." },
      { role: "user", text: "And?" },
      { role: "assistant", text: "Nothing." },
    ]
    assert.deepEqual(
      success(readTurns("**Question 1:** Why?\n**Answer 1:** Because\nof this.\nQ: And?\nA: Nothing.")),
      expected,
    )
    assert.deepEqual(
      success(readTurns("User: Why?\nAssistant: Because\nof this.\n\nFrage: And?\nAntwort: Nothing.")),
      expected,
    )
    assert.ok(failure(readTurns("Question: one\nQuestion: two\nAnswer: three")))
    assert.ok(failure(readTurns("Question: one")))
  })

  it("says what is wrong with others", () => {
    assert.match(failure(readTurns("no idea")) ?? "", /no JSON object/)
    assert.equal(failure(readTurns(json({ question: "Why?", answer: " " }))), "answer 1 is empty")
    assert.equal(failure(readTurns(json({ question: "Why?", answer: "<think>never ends" }))), "answer 1 is empty")
    const many = Array.from({ length: 9 }, (_, index) => ({ question: `${index}?`, answer: "Yes." }))
    assert.match(failure(readTurns(json(...many))) ?? "", /9 questions/)
    assert.ok(failure(readTurns('{"turns": [{"question": 3, "answer": "x"}]}')))
  })
})

describe("questions of a chunk", () => {
  it("reads each once, without signs of lists, of JSON or of lines", () => {
    const expected = [{ question: "Why?" }, { question: "When?" }]
    assert.deepEqual(success(readQuestions('{"questions": ["1. Why?", "When?", " Why? ", ""]}')), expected)
    assert.deepEqual(success(readQuestions("Here they are:\n- Why?\n- When?")), expected)
    assert.match(failure(readQuestions("None.")) ?? "", /no JSON object/)
  })

  it("reads answers beside them, and no question that has none", () => {
    const expected = [{ question: "Why?", answer: "Rain." }]
    const pairs = [
      { question: "Why?", answer: " Rain. " },
      { question: "When?", answer: " " },
    ]
    assert.deepEqual(success(readAnsweredQuestions(JSON.stringify({ questions: pairs }))), expected)
    assert.deepEqual(success(readAnsweredQuestions("Question 1: Why?\nAnswer 1: Rain.")), expected)
    assert.match(failure(readAnsweredQuestions('{"questions": ["Why?"]}')) ?? "", /"answer": text/)
  })
})
