import assert from "node:assert/strict"
import { test } from "node:test"
import { collapseWatch, nearChance, type StepNumbers } from "@tandem/objectives"

const healthy = { distinct: 0.5, priorEntropy: 1.2, posteriorEntropy: 0.4, learned: 0.6, queryNorm: 3 }

const heard = (watch: (numbers: StepNumbers) => readonly string[], numbers: StepNumbers): readonly string[] =>
  Array.from({ length: 50 }, () => watch(numbers)).flat()

test("a healthy run is not warned of; each symptom is told once, with what to do", () => {
  const symptoms: readonly (readonly [StepNumbers, RegExp])[] = [
    [{ ...healthy, distinct: 0.1 }, /same passages.*tandem dpr train/],
    [{ ...healthy, priorEntropy: 0.01, learned: 3 }, /sure of one passage.*`temperature`/],
    [{ ...healthy, learned: 1e-4 }, /every passage.*tandem ralt train/],
    [{ ...healthy, queryNorm: 40 }, /without bound.*`similarity`/],
  ]
  for (const [sick, expected] of symptoms) {
    const watch = collapseWatch({ k: 8 })
    assert.deepEqual([...heard(watch, healthy), ...heard(watch, healthy)], [])
    const [message = "", ...more] = heard(watch, sick)
    assert.match(message, expected)
    assert.deepEqual([...more, ...heard(watch, sick)], [])
  }
})

test("one passage a question cannot disagree", () => {
  const watch = collapseWatch({ k: 1 })
  assert.deepEqual(heard(watch, { ...healthy, priorEntropy: 0, posteriorEntropy: 0, learned: 0 }), [])
})

test("a retriever that finds no more than chance is told before training", () => {
  assert.match(nearChance({ "answerRecall@5": 0.005 }, { passages: 1024 }) ?? "", /hardly more than chance/)
  assert.equal(nearChance({ "answerRecall@5": 0.3 }, { passages: 1024 }), undefined)
  assert.equal(nearChance({}, { passages: 1024 }), undefined)
})
