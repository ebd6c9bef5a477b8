// Generated texts against transformers' `generate`, over random weights (test/golden/generation.py).
import assert from "node:assert/strict"
import { readdirSync } from "node:fs"
import { test } from "node:test"
import { makeLocalGenerator } from "@tandem/generator"
import { Effect } from "effect"
import { candidatesOf, penalize } from "../../src/local/Processors.ts"
import { goldenJson, goldenModel, goldenPath, onCpu } from "../support/Golden.ts"

const names = readdirSync(goldenPath("generation")).map((file) => file.replace(/\.json$/, ""))

interface Beam {
  readonly numBeams: number
  readonly maxNewTokens: number
  readonly endOfSequence: number
  readonly lengthPenalty: number
  readonly earlyStopping: boolean
  readonly prompts: readonly {
    readonly generated: readonly (readonly number[])[]
    readonly scores: readonly number[]
  }[]
}

const inputs = (prompts: readonly (readonly number[])[]) => prompts.map((ids) => ({ ids }))

for (const name of names) {
  test(`${name}: eight prompts of different lengths at once, greedy and with a penalty on repetition`, async () => {
    const { prompts, endOfSequence, greedy, repetitionPenalty } = goldenJson(`generation/${name}.json`)
    const [plain, penalized] = await onCpu(
      Effect.gen(function* () {
        const { generate } = yield* makeLocalGenerator({ model: yield* goldenModel(name, endOfSequence) })
        const options = { maxTokens: greedy.maxNewTokens }
        return [
          yield* generate(inputs(prompts), options),
          yield* generate(inputs(prompts), { ...options, repetitionPenalty: repetitionPenalty.penalty }),
        ]
      }),
    )
    assert.deepEqual(
      plain?.map(([one]) => one?.ids),
      greedy.generated,
    )
    assert.deepEqual(
      penalized?.map(([one]) => one?.ids),
      repetitionPenalty.generated,
    )
    for (const [one] of plain ?? [])
      assert.equal(one?.finish, endOfSequence.includes(one?.ids.at(-1)) ? "end" : "length")
  })

  const { prompts, beams = [] }: { prompts: number[][]; beams?: readonly Beam[] } = goldenJson(
    `generation/${name}.json`,
  )
  for (const golden of beams) {
    const { lengthPenalty, earlyStopping } = golden
    test(`${name}: beam search, length penalty ${lengthPenalty}, early stopping ${earlyStopping}`, async () => {
      const found = await onCpu(
        Effect.gen(function* () {
          const { generate } = yield* makeLocalGenerator({ model: yield* goldenModel(name, [golden.endOfSequence]) })
          return yield* generate(inputs(prompts.slice(0, golden.prompts.length)), {
            decoding: {
              kind: "beam",
              beams: golden.numBeams,
              sequences: golden.numBeams,
              lengthPenalty,
              earlyStopping,
            },
            maxTokens: golden.maxNewTokens,
          })
        }),
      )
      for (const [index, { generated, scores }] of golden.prompts.entries()) {
        assert.deepEqual(
          found[index]?.map(({ ids }) => ids),
          generated,
        )
        for (const [rank, score] of scores.entries()) {
          assert.ok(Math.abs(found[index]![rank]!.score - score) < 1e-4, `${found[index]![rank]!.score}, not ${score}`)
        }
      }
    })
  }
}

interface DistributionCase {
  readonly settings: {
    readonly temperature?: number
    readonly topK?: number
    readonly topP?: number
    readonly repetitionPenalty?: number
  }
  readonly probabilities: readonly number[]
}

test("distributions are narrowed as transformers narrows them", () => {
  const { distributions } = goldenJson("generation/llama.json")
  const cases: readonly DistributionCase[] = distributions.cases
  for (const { settings, probabilities } of cases) {
    const logits = penalize(
      Float32Array.from(distributions.logits),
      distributions.prompt,
      settings.repetitionPenalty ?? 1,
    )
    const found = candidatesOf(logits, settings)
    const all = probabilities.map(() => 0)
    for (const [index, id] of found.ids.entries()) all[id] = found.probabilities[index]!
    for (const [id, probability] of probabilities.entries()) {
      assert.ok(Math.abs(all[id]! - probability) < 1e-5, `${JSON.stringify(settings)}: ${all[id]}, not ${probability}`)
    }
  }
})
