// A retriever taught by a language model, against PyTorch: likelihoods, losses and every gradient, through encoder, similarity
// and loss together, for every loss, score and direction, passages frozen and live; nothing reaches the teacher, and planted
// faults are found.
import assert from "node:assert/strict"
import { before, test } from "node:test"
import { gradientName, MissingGradient } from "@tandem/autodiff"
import { makeLocalGenerator } from "@tandem/generator"
import {
  type LsrBatch,
  type LsrLossSettings,
  localTeacher,
  lsrBatches,
  lsrProgram,
  memoryScores,
  scorePairs,
  type TaughtQuestion,
  teachBy,
} from "@tandem/objectives"
import { joinParts, type Tensor, toNumbers } from "@tandem/onnx"
import { Runtime } from "@tandem/runtime"
import { differentiateProgram, type Program } from "@tandem/trainers"
import { Effect } from "effect"
import { goldenJson, onCpu, summaryError } from "./support/Golden.ts"
import { severed, silenced } from "./support/JointFaults.ts"
import { goldenHits, goldenPrompt, type JointFixture, readJointFixture } from "./support/JointGolden.ts"

interface LsrGolden {
  readonly likelihoods: readonly (readonly number[])[]
  readonly cases: readonly {
    readonly loss: LsrLossSettings
    readonly value: number
    readonly gradients: Readonly<Record<string, readonly [number, number]>>
  }[]
}

const names = ["llama", "bart"] as const
const fixtures = new Map<string, JointFixture & { readonly lsr: LsrGolden }>()

before(async () => {
  for (const name of names)
    fixtures.set(name, { ...(await readJointFixture(name)), lsr: goldenJson(`lsr/${name}.json`) })
})

const fixtureOf = (name: (typeof names)[number]) => {
  const found = fixtures.get(name)
  assert.ok(found !== undefined)
  return found
}

const questionsOf = ({ golden }: JointFixture): readonly TaughtQuestion[] =>
  golden.questions.map(({ query, weight }, index) => ({
    id: `q${index}`,
    query: query.text,
    answer: `${index}`,
    gold: new Set(),
    weight,
  }))

/** What the project's own generator says of each candidate. */
const taughtOf = ({ golden, models }: JointFixture) =>
  Effect.gen(function* () {
    const generator = yield* makeLocalGenerator({ model: models.generator })
    const prompts = {
      prompt: (query: string, contexts: readonly { readonly text: string }[]) => ({
        ids: goldenPrompt(golden, query, contexts),
        cut: 0,
        contexts: contexts.length,
      }),
      answer: (text: string) => ({ ids: golden.questions[Number(text)]!.answer }),
    }
    const teacher = localTeacher(generator, prompts, { fingerprint: "golden", model: "golden" })
    const questions = questionsOf({ golden, models })
    const hits = questions.map((_, index) => goldenHits(golden, index))
    return yield* teachBy(scorePairs(teacher, memoryScores()), "lsr")(questions, hits)
  })

type Taught = Effect.Success<ReturnType<typeof taughtOf>>

const batchOf = (fixture: JointFixture, { hits }: Taught, passages: "frozen" | "live"): LsrBatch => {
  const { similarity, temperature, k } = fixture.golden
  const questions = questionsOf(fixture)
  const batches = lsrBatches(fixture.models.towers, {
    questions,
    retrieval: { similarity, temperature, maxLength: { query: 32, passage: 32 }, titles: undefined },
    ...{ seed: 0, batchSize: questions.length, k, passages },
  })
  const drafts = batches.draft(0)
  return batches.complete(
    drafts,
    drafts.map(({ question }) => hits[Number(question.answer)]!),
  )
}

const weightsOf = ({ models: { towers } }: JointFixture, passages: "frozen" | "live"): ReadonlyMap<string, Tensor> =>
  joinParts({
    query: towers.query.parameters,
    ...(passages === "live" ? { passage: towers.passage.parameters } : {}),
  })

interface Run {
  readonly loss: LsrLossSettings
  readonly passages: "frozen" | "live"
  readonly plant?: (program: Program) => Program
}

const run = Effect.fnUntraced(function* (fixture: JointFixture, taught: Taught, { loss, passages, plant }: Run) {
  const batch = batchOf(fixture, taught, passages)
  const { similarity } = fixture.golden
  const program = yield* lsrProgram(fixture.models.towers, batch, { retrieval: { similarity }, loss, dropout: 0 })
  const weights = weightsOf(fixture, passages)
  const graph = yield* differentiateProgram(plant?.(program) ?? program, [...weights.keys()])
  const executable = yield* (yield* Runtime).compile(graph)
  const outputs = yield* executable.run({ ...Object.fromEntries(weights), ...batch.tensors })
  return {
    inputs: graph.inputs.map(({ name }) => name),
    loss: Number(outputs["loss"]!.data[0]),
    numbers: Object.fromEntries(Object.entries(outputs).map(([name, value]) => [name, Number(value.data[0])])),
    gradients: new Map([...weights.keys()].map((name) => [name, toNumbers(outputs[gradientName(name)]!)] as const)),
  }
})

/**
 * The largest error of a gradient. What shifts all candidates of a question alike changes no distribution, so that the last
 * norm's bias of the passage encoder, and attention's key biases, have a gradient of 0 by symmetry: of those, how far from 0
 * it is, by a hundred times the largest gradient.
 */
const errorOf = (expected: LsrGolden["cases"][number]["gradients"], found: ReadonlyMap<string, readonly number[]>) => {
  const largest = Math.max(...Object.values(expected).map(([norm]) => norm))
  const isZero = ([name]: readonly [string, readonly number[]]): boolean => expected[name]![0] < 1e-9 * largest
  const zeros = [...found].filter(isZero).map(([, values]) => Math.hypot(...values) / (0.01 * largest))
  return Math.max(summaryError(expected, new Map([...found].filter((each) => !isZero(each)))), ...zeros)
}

for (const name of names) {
  test(`${name}: likelihoods, losses and gradients are PyTorch's`, async (t) => {
    const fixture = fixtureOf(name)
    const worst = { likelihood: 0, loss: 0, gradient: 0 }
    await onCpu(
      Effect.scoped(
        Effect.gen(function* () {
          const taught = yield* taughtOf(fixture)
          for (const [index, row] of fixture.lsr.likelihoods.entries()) {
            assert.equal(taught.hits[index]!.length, row.length)
            for (const [place, expected] of row.entries()) {
              const { value, tokens } = taught.hits[index]![place]!.taught
              assert.equal(tokens, fixture.golden.questions[index]!.answer.length)
              worst.likelihood = Math.max(worst.likelihood, Math.abs(value / expected - 1))
            }
          }
          for (const [number, { loss, value, gradients }] of fixture.lsr.cases.entries()) {
            const passages = number % 2 === 0 ? "live" : "frozen"
            const found = yield* run(fixture, taught, { loss, passages })
            worst.loss = Math.max(worst.loss, Math.abs(found.loss / value - 1))
            worst.gradient = Math.max(worst.gradient, errorOf(gradients, found.gradients))
            assert.equal(
              found.inputs.some((input) => input.startsWith("generator")),
              false,
            )
          }
        }),
      ),
    )
    t.diagnostic(JSON.stringify(worst))
    assert.ok(worst.likelihood <= 1e-5 && worst.loss <= 1e-4 && worst.gradient <= 1e-4, JSON.stringify(worst))
  })
}

const plain: LsrLossSettings = {
  ...{ kind: "lsr", direction: "lm-retriever", score: "meanLogprob", flatBelow: 1e-5 },
  ...{ retrieverTemperature: 0.2, languageModelTemperature: 0.25 },
}

test("what a step tells: entropies, agreement, ranks, and how many questions train", async () => {
  const fixture = fixtureOf("llama")
  const { numbers } = await onCpu(
    Effect.scoped(
      Effect.flatMap(taughtOf(fixture), (taught) => run(fixture, taught, { loss: plain, passages: "frozen" })),
    ),
  )
  assert.ok(Math.abs(numbers["trained"]! - 2 / 3) < 1e-6)
  const entropy = (priors: readonly number[]): number => priors.reduce((sum, log) => sum - Math.exp(log) * log, 0)
  const [first = [], second = []] = fixture.golden.priors
  assert.ok(Math.abs(numbers["retrieverEntropy"]! - (entropy(first) + entropy(second)) / 2) < 1e-4)
  const { likelihoods } = fixture.lsr
  const ranks = [first, second].map((prior, index) => {
    const best = likelihoods[index]!.indexOf(Math.max(...likelihoods[index]!))
    return prior.filter((log) => log >= prior[best]!).length
  })
  assert.equal(numbers["helpfulRank"], (ranks[0]! + ranks[1]!) / 2)
  assert.equal(numbers["agreement"], ranks.filter((rank) => rank === 1).length / 2)
})

test("planted faults are found: scores that are severed or silenced", async () => {
  const fixture = fixtureOf("llama")
  const { value, gradients } = fixture.lsr.cases.find(
    ({ loss }) => loss.kind === "lsr" && loss.direction === "lm-retriever" && loss.score === "meanLogprob",
  )!
  const faulty = (plant: NonNullable<Run["plant"]>) =>
    onCpu(
      Effect.scoped(
        Effect.flatMap(taughtOf(fixture), (taught) => run(fixture, taught, { loss: plain, passages: "live", plant })),
      ),
    )
  await assert.rejects(faulty(severed), MissingGradient)
  const silent = await faulty(silenced)
  assert.ok(Math.abs(silent.loss - value) <= 1e-4 && summaryError(gradients, silent.gradients) >= 0.5)
})
