import assert from "node:assert/strict"
import { test } from "node:test"
import { InvalidPrompt } from "@tandem/generator"
import { answerContexts, evaluateVariants, type PreparedQuestion } from "@tandem/objectives"
import { Effect } from "effect"

const question = (id: string, passages: readonly string[], more: Partial<PreparedQuestion> = {}): PreparedQuestion => ({
  ...{ id, query: id, answer: "yes", answers: ["yes"] },
  passages: passages.map((text, place) => ({ id: text, text, score: -place })),
  ...more,
})

test("random passages are other questions', and none that answers", () => {
  const asked = [question("a", ["one"], { alsoGold: ["two", "three"] }), question("b", ["two", "three", "four"])]
  for (let seed = 0; seed < 20; seed++) {
    const [contexts] = answerContexts(asked, "random", { k: 3, seed })
    assert.deepEqual(
      contexts?.map(({ id }) => id),
      ["four"],
    )
  }
})

const prompts = {
  prompt: (query: string) => {
    if (query === "long") throw new InvalidPrompt({ message: "a prompt does not fit" })
    return { ids: [1], cut: 0, contexts: 0 }
  },
  answer: () => ({ ids: [2] }),
  settings: { template: { kind: "text", text: "" }, maxPrompt: 4, maxAnswer: 4 },
} as const

const failureOf = (questions: readonly PreparedQuestion[], logprob: number) =>
  Effect.runPromise(
    Effect.flip(
      evaluateVariants(
        {
          score: (requests) => Effect.succeed(requests.map(() => [{ logprob, perToken: [logprob] }])),
          generate: (inputs) => Effect.succeed(inputs.map(() => [])),
        },
        { questions, prompts, k: 1, seed: 0, written: 0, variants: ["closedBook"] },
        () => undefined,
      ),
    ),
  )

test("a question that does not fit, one that stands twice, and likelihoods that are none are tagged errors", async () => {
  const fine = question("q", [])
  assert.equal((await failureOf([question("long", [])], -1))._tag, "InvalidPrompt")
  assert.equal((await failureOf([fine, fine], -1))._tag, "InvalidEvaluation")
  assert.equal((await failureOf([fine], Number.NaN))._tag, "InvalidEvaluation")
})
