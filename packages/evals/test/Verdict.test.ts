import assert from "node:assert/strict"
import { test } from "node:test"
import { type AnswerReport, evaluateAnswers, InvalidEvaluation, verdict } from "@tandem/evals"
import { Random } from "@tandem/random"

const questions = 80
const bootstrap = { resamples: 1000 }

/** A system that is right with a probability, one draw a question; `name` decides the draws. */
const system = (name: string, share: number): AnswerReport => {
  const random = Random.fromSeed(name)
  return evaluateAnswers({
    bootstrap,
    results: Array.from({ length: questions }, (_, at) => {
      const right = random.chance(share)
      return {
        id: `q${at}`,
        prediction: right ? "1903" : "1899",
        answers: ["1903"],
        likelihood: { logprob: right ? -1 : -6, tokens: 2 },
      }
    }),
  })
}

const four = (closedBook: number, retrieval: number, fineTuning: number, both: number) => ({
  closedBook: system("a", closedBook),
  retrievedBefore: system("b", retrieval),
  fineTunedWithoutRetrieval: system("c", fineTuning),
  retrievedAfter: system("d", both),
})

test("each need follows from what is clearly better than what", () => {
  assert.equal(verdict(four(0.1, 0.5, 0.4, 0.9), { bootstrap }).needs, "both")
  assert.equal(verdict(four(0.1, 0.1, 0.1, 0.9), { bootstrap }).needs, "both")
  assert.equal(verdict(four(0.1, 0.9, 0.2, 0.9), { bootstrap }).needs, "retrieval")
  assert.equal(verdict(four(0.1, 0.9, 0.2, 0.4), { bootstrap }).needs, "retrieval")
  assert.equal(verdict(four(0.1, 0.2, 0.9, 0.9), { bootstrap }).needs, "fineTuning")
  assert.equal(verdict(four(0.1, 0.9, 0.9, 0.9), { bootstrap }).needs, "either")
  assert.equal(verdict(four(0.5, 0.5, 0.5, 0.5), { bootstrap }).needs, "neither")
  assert.equal(verdict(four(0.9, 0.5, 0.5, 0.2), { bootstrap }).needs, "neither")
})

test("less nll is better", () => {
  const found = verdict(four(0.1, 0.5, 0.4, 0.9), { metric: "nll", bootstrap })
  assert.equal(found.needs, "both")
  assert.ok(found.systems.retrievedAfter.estimate < found.systems.closedBook.estimate)
  const gain = found.differences.find(({ of, over }) => of === "retrievedAfter" && over === "closedBook")
  assert.ok(gain?.outcome === "better" && gain.interval.high < 0)
})

test("the result holds every figure that the words tell", () => {
  const { differences, systems, n, words } = verdict(four(0.1, 0.5, 0.4, 0.9), { metric: "exactMatch", bootstrap })
  assert.equal(n, questions)
  assert.deepEqual(
    differences.map(({ of, over }) => `${of} − ${over}`),
    [
      "retrievedBefore − closedBook",
      "fineTunedWithoutRetrieval − closedBook",
      "retrievedAfter − closedBook",
      "fineTunedWithoutRetrieval − retrievedBefore",
      "retrievedAfter − retrievedBefore",
      "retrievedAfter − fineTunedWithoutRetrieval",
    ],
  )
  const { estimate, low, high } = systems.closedBook
  assert.ok(
    words[0].startsWith(
      `exactMatch over 80 questions: closed book ${estimate.toFixed(3)} (${low.toFixed(3)} to ${high.toFixed(3)})`,
    ),
  )
  assert.match(
    words[1],
    /^these data need both retrieval and fine-tuning: retrieval after training is better than retrieval before training: 0\.\d{3} \(0\.\d{3} to 0\.\d{3}\); retrieval after training is better than fine-tuned without retrieval: 0\.\d{3} \(/,
  )
})

test("a verdict is a function of what it is given; a metric that a report lacks is an error", () => {
  const systems = four(0.1, 0.5, 0.4, 0.9)
  assert.deepEqual(verdict(systems, { bootstrap }), verdict(systems, { bootstrap }))
  const only = evaluateAnswers({
    results: Array.from({ length: questions }, (_, at) => ({ id: `q${at}`, prediction: "", answers: ["x"] })),
  })
  assert.throws(
    () => verdict({ ...systems, closedBook: only }, { metric: "nll", bootstrap }),
    (error) => error instanceof InvalidEvaluation && error.field === "closedBook",
  )
  assert.throws(
    () =>
      verdict({
        ...systems,
        retrievedAfter: evaluateAnswers({ results: [{ id: "z", prediction: "", answers: ["x"] }] }),
      }),
    InvalidEvaluation,
  )
})
