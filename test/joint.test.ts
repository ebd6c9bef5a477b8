// A retriever and a generator trained as one, against PyTorch: losses and every gradient, passages frozen and live, in one pass
// and in several; with finite differences through encoder, similarity and loss together, and planted faults that are found.
import assert from "node:assert/strict"
import { before, test } from "node:test"
import { gradientName, MissingGradient } from "@tandem/autodiff"
import { type JointBatch, type JointLoss, type JointModels, jointBatches, jointProgram } from "@tandem/objectives"
import { float32, int64, joinParts, type Tensor, toNumbers } from "@tandem/onnx"
import { Runtime } from "@tandem/runtime"
import type { Hit } from "@tandem/store"
import { differentiateProgram, type Program } from "@tandem/trainers"
import { Effect } from "effect"
import { goldenTensors, gradientError, onCpu, summaryError } from "./support/Golden.ts"
import { negated, severed, silenced } from "./support/JointFaults.ts"
import {
  goldenHits,
  goldenPrompt,
  type JointFixture,
  type JointName,
  jointNames,
  readJointFixture,
} from "./support/JointGolden.ts"

const fixtures = new Map<JointName, JointFixture>()

before(async () => {
  for (const name of jointNames) fixtures.set(name, await readJointFixture(name))
})

const fixtureOf = (name: JointName): JointFixture => {
  const found = fixtures.get(name)
  assert.ok(found !== undefined)
  return found
}

interface Asked {
  readonly passages: "frozen" | "live"
  readonly loss: JointLoss
  readonly epsilon: number
  readonly passTokens: number
  /** What the data say of each question's passages: the number of one that was found, or a passage that was not. */
  readonly labels?: readonly (number | Hit | undefined)[]
}

/** What the labelled retrieval loss counts for. */
const labelWeight = 0.5

/** The passes of the fixture's questions with what was found for them. */
const passesOf = ({ golden, models }: JointFixture, { passages, passTokens, labels }: Asked): readonly JointBatch[] => {
  const { questions, similarity, temperature, k } = golden
  const batches = jointBatches(models, {
    questions: questions.map(({ query, weight }, index) => ({
      id: `q${index}`,
      query: query.text,
      answer: `${index}`,
      weight,
    })),
    prompts: {
      prompt: (query, contexts) => ({ ids: goldenPrompt(golden, query, contexts), cut: 0, contexts: contexts.length }),
      answer: (text) => ({ ids: questions[Number(text)]!.answer }),
      settings: { template: { kind: "text", text: "" }, maxPrompt: 20, maxAnswer: 8 },
    },
    retrieval: { similarity, temperature, maxLength: { query: 32, passage: 32 }, titles: undefined },
    ...{ seed: 0, batchSize: questions.length, k, passTokens, passages },
    ...(labels === undefined
      ? {}
      : {
          labels: ({ answer }) => {
            const label = labels[Number(answer)]
            const hit = typeof label === "number" ? goldenHits(golden, Number(answer))[label] : label
            return hit === undefined ? undefined : { ids: new Set([hit.passage.id]), hit }
          },
        }),
  })
  const drafts = batches.draft(0)
  for (const { question, encoded } of drafts)
    assert.deepEqual(encoded.ids, questions[Number(question.answer)]!.query.ids)
  return batches.complete(
    drafts,
    drafts.map(({ question }) => goldenHits(golden, Number(question.answer))),
  )
}

const weightsOf = ({ towers, generator }: JointModels, passages: "frozen" | "live"): ReadonlyMap<string, Tensor> =>
  joinParts({
    query: towers.query.parameters,
    ...(passages === "live" ? { passage: towers.passage.parameters } : {}),
    generator: generator.parameters,
  })

/** What is wrong with a run: its program, its batches' tensors, or its weights. */
interface Planted {
  readonly program?: (program: Program) => Program
  readonly tensors?: (tensors: JointBatch["tensors"]) => JointBatch["tensors"]
}

interface Found {
  readonly loss: number
  readonly gradients: ReadonlyMap<string, readonly number[]>
}

const programFor = ({ golden, models }: JointFixture, batch: JointBatch, { loss, epsilon }: Asked) =>
  jointProgram(models, batch, {
    retrieval: golden,
    loss,
    labelSmoothing: epsilon,
    retrievalLossWeight: labelWeight,
    dropout: 0,
  })

/** Loss and gradients of all passes, added up. */
const run = (fixture: JointFixture, asked: Asked, { program: plant, tensors: change }: Planted = {}): Promise<Found> =>
  onCpu(
    Effect.scoped(
      Effect.gen(function* () {
        const weights = weightsOf(fixture.models, asked.passages)
        const gradients = new Map<string, readonly number[]>()
        let loss = 0
        for (const batch of passesOf(fixture, asked)) {
          const program = yield* programFor(fixture, batch, asked)
          const graph = yield* differentiateProgram(plant?.(program) ?? program, [...weights.keys()])
          const executable = yield* (yield* Runtime).compile(graph)
          const tensors = change?.(batch.tensors) ?? batch.tensors
          const outputs = yield* executable.run({ ...Object.fromEntries(weights), ...tensors })
          loss += Number(outputs["loss"]!.data[0])
          for (const name of weights.keys()) {
            const values = toNumbers(outputs[gradientName(name)]!)
            const sums = gradients.get(name)
            gradients.set(name, sums === undefined ? values : values.map((value, index) => value + sums[index]!))
          }
        }
        return { loss, gradients }
      }),
    ),
  )

/** Loss and smoothing by the names of the fixtures, and how the case is run. */
const cases: readonly (readonly [key: string, asked: Asked])[] = [
  ["rag-sequence 0", { loss: "rag-sequence", epsilon: 0, passages: "frozen", passTokens: 1000 }],
  ["rag-sequence 0.1", { loss: "rag-sequence", epsilon: 0.1, passages: "live", passTokens: 1000 }],
  ["rag-token 0", { loss: "rag-token", epsilon: 0, passages: "live", passTokens: 1000 }],
  ["rag-token 0.1", { loss: "rag-token", epsilon: 0.1, passages: "frozen", passTokens: 1000 }],
]
const several = [
  ["rag-sequence 0.1", { loss: "rag-sequence", epsilon: 0.1, passages: "frozen", passTokens: 1 }],
  ["rag-token 0", { loss: "rag-token", epsilon: 0, passages: "live", passTokens: 1 }],
] as const

for (const name of jointNames) {
  test(`${name}: losses and gradients are PyTorch's, passages live and frozen`, async (t) => {
    const fixture = fixtureOf(name)
    const { golden } = fixture
    const worst = { loss: 0, gradient: 0 }
    for (const [key, asked] of [...cases, ...(name === "llama" ? several : [])]) {
      assert.equal(passesOf(fixture, asked).length, asked.passTokens === 1 ? golden.questions.length : 1)
      const { loss, gradients } = await run(fixture, asked)
      worst.loss = Math.max(worst.loss, Math.abs(loss / golden.losses[key]! - 1))
      worst.gradient = Math.max(worst.gradient, summaryError(golden.gradients[key]!, gradients))
      if (name !== "llama" || asked.passages === "frozen" || key !== "rag-sequence 0.1") continue
      const all = goldenTensors("joint/llama.safetensors")
      const tensors = new Map([...all].map(([own, value]) => [own.slice("g.".length), value]))
      assert.deepEqual([...tensors.keys()].sort(), [...gradients.keys()].sort())
      const { error } = gradientError(tensors, (own) =>
        float32(tensors.get(own)!.dims, Float32Array.from(gradients.get(own)!)),
      )
      worst.gradient = Math.max(worst.gradient, error)
    }
    t.diagnostic(`loss ${worst.loss.toExponential(1)}, gradients ${worst.gradient.toExponential(1)}`)
    assert.ok(worst.loss <= 1e-5 && worst.gradient <= 1e-4, JSON.stringify(worst))
  })
}

const live: Asked = { loss: "rag-token", epsilon: 0, passages: "live", passTokens: 1000 }
const frozen: Asked = { ...live, passages: "frozen" }

test("an encoder that is frozen is no part of the program, and no gradient reaches it", async () => {
  const fixture = fixtureOf("llama")
  const [batch] = passesOf(fixture, frozen)
  const { graph } = await onCpu(programFor(fixture, batch!, frozen))
  const inputs = graph.inputs.map(({ name }) => name)
  assert.ok(inputs.some((name) => name.startsWith("query/")) && inputs.includes("passages"))
  assert.deepEqual(
    inputs.filter((name) => name.startsWith("passage/") || name.startsWith("passage.")),
    [],
  )
})

test("passages under which answers are equally likely teach the generator alone, as if there were none", async () => {
  const fixture = fixtureOf("llama")
  const questions = fixture.golden.questions.map((question) => ({
    ...question,
    passages: question.passages.map((passage) => ({ ...passage, prompt: question.alone })),
  }))
  const alike: JointFixture = { ...fixture, golden: { ...fixture.golden, questions } }
  const without = questions.map((question) => ({ ...question, passages: [] }))
  const own = await run({ ...fixture, golden: { ...fixture.golden, questions: without } }, live)
  const sizes = (found: Found, generator: boolean): number[] =>
    [...found.gradients].flatMap(([name, values]) =>
      name.startsWith("generator/") === generator ? [Math.hypot(...values)] : [],
    )
  assert.ok(sizes(own, false).every((size) => size === 0))
  for (const loss of ["rag-sequence", "rag-token"] as const) {
    const found = await run(alike, { ...live, loss })
    assert.ok(Math.abs(found.loss / own.loss - 1) <= 1e-6, `${loss} ${found.loss} ${own.loss}`)
    assert.ok(Math.max(...sizes(found, false)) <= 1e-5 * Math.max(...sizes(found, true)), String(sizes(found, false)))
    for (const [name, values] of found.gradients) {
      if (!name.startsWith("generator/")) continue
      const expected = own.gradients.get(name)!
      const gap = Math.hypot(...values.map((value, index) => value - expected[index]!))
      assert.ok(gap <= 1e-4 * Math.max(...sizes(own, true)), name)
    }
  }
})

/** The share by which the gradient along a direction differs from finite differences of the loss, weights moved both ways. */
const discrepancies = (
  fixture: JointFixture,
  names: readonly string[],
  planted: Planted = {},
  asked = live,
): Promise<readonly number[]> =>
  onCpu(
    Effect.scoped(
      Effect.gen(function* () {
        const runtime = yield* Runtime
        const [batch] = passesOf(fixture, asked)
        const weights = weightsOf(fixture.models, "live")
        const program = yield* programFor(fixture, batch!, asked)
        const graph = planted.program?.(program).graph ?? program.graph
        const gradients = yield* runtime.compile(yield* differentiateProgram({ ...program, graph }, names))
        const forward = yield* runtime.compile({
          ...graph,
          outputs: graph.outputs.filter(({ name }) => name === "loss"),
        })
        const feeds = { ...Object.fromEntries(weights), ...batch!.tensors }
        const found = yield* gradients.run(feeds)
        const errors: number[] = []
        for (const name of names) {
          const gradient = toNumbers(found[gradientName(name)]!)
          const norm = Math.hypot(...gradient)
          const value = weights.get(name)!
          const lossAt = (move: number) =>
            Effect.map(
              forward.run({
                ...feeds,
                [name]: float32(
                  value.dims,
                  toNumbers(value).map((x, index) => x + (norm === 0 ? 0 : (move * gradient[index]!) / norm)),
                ),
              }),
              ({ loss }) => Number(loss!.data[0]),
            )
          const step = 0.02
          const slope = ((yield* lossAt(step)) - (yield* lossAt(-step))) / (2 * step)
          errors.push(Math.abs(slope - norm) / norm)
        }
        return errors
      }),
    ),
  )

test("gradients agree with finite differences from the loss to the weights of both encoders", async (t) => {
  const names = ["query", "passage"].flatMap((part) => [
    `${part}/embeddings.word_embeddings.weight`,
    `${part}/encoder.layer.0.attention.self.value.weight`,
    `${part}/encoder.layer.1.output.dense.weight`,
  ])
  const errors = await discrepancies(fixtureOf("llama"), names)
  t.diagnostic(errors.map((error) => error.toExponential(1)).join(", "))
  assert.ok(Math.max(...errors) <= 1e-2, String(errors))
})

test("labels add the likelihood of finding what answers, among passages that were found and one that was not", async (t) => {
  const fixture = fixtureOf("llama")
  const { questions, priors } = fixture.golden
  // Nothing was found for the last question: it has no label.
  const labels = questions.map(({ passages }) => (passages.length === 0 ? undefined : 1))
  const shown = questions.flatMap(({ weight }, index) => (labels[index] === undefined ? [] : [{ weight, index }]))
  assert.equal(shown.length, 2)
  const labelled = shown.reduce((sum, { weight }) => sum + weight, 0)
  const expected = shown.reduce((sum, { weight, index }) => sum - (weight / labelled) * priors[index]![1]!, 0)
  for (const passages of ["frozen", "live"] as const) {
    const asked = { ...live, passages }
    const plain = await run(fixture, asked)
    const whole = await run(fixture, { ...asked, labels })
    assert.ok(Math.abs((whole.loss - plain.loss) / (labelWeight * expected) - 1) <= 1e-4, `${whole.loss} ${plain.loss}`)
    const split = await run(fixture, { ...asked, labels, passTokens: 1 })
    assert.ok(Math.abs(split.loss / whole.loss - 1) <= 1e-5)
    for (const [name, values] of whole.gradients) {
      const gap = Math.hypot(...values.map((value, index) => value - split.gradients.get(name)![index]!))
      assert.ok(gap <= 1e-5 * Math.max(1e-2, Math.hypot(...values)), name)
      // What finding passages teaches, the generator does not feel.
      if (name.startsWith("generator/"))
        assert.ok(Math.hypot(...values) > 0 || plain.gradients.get(name)!.every((each) => each === 0))
      else assert.notDeepEqual(values, plain.gradients.get(name))
    }
  }
  // A passage that was not found stands behind the others, and no answer is read from it.
  const unseen: Hit = { ...goldenHits(fixture.golden, 0)[0]!, passage: { id: "unseen", text: "unseen passage" } }
  const missing = { ...live, labels: questions.map(() => unseen) }
  const [batch] = passesOf(fixture, missing)
  assert.deepEqual(batch!.tensors["answering"]!.dims, [questions.length, fixture.golden.k + 1])
  assert.equal(batch!.tensors["answer_places"]!.dims[1], fixture.golden.k)
  const names = ["query", "passage"].map((part) => `${part}/encoder.layer.0.attention.self.value.weight`)
  const errors = await discrepancies(fixture, names, {}, missing)
  t.diagnostic(errors.map((error) => error.toExponential(1)).join(", "))
  assert.ok(Math.max(...errors) <= 1e-2, String(errors))
})

test("planted faults are found: scores that are severed, silenced or negated, labels that are shifted", async () => {
  const fixture = fixtureOf("llama")
  const expected = fixture.golden.gradients["rag-token 0"]!
  const value = fixture.golden.losses["rag-token 0"]!
  const gap = (loss: number): number => Math.abs(loss - value)

  await assert.rejects(run(fixture, live, { program: severed }), MissingGradient)

  const silent = await run(fixture, live, { program: silenced })
  assert.ok(gap(silent.loss) <= 1e-4 && summaryError(expected, silent.gradients) >= 0.5)
  for (const [name, values] of silent.gradients)
    assert.equal(
      values.every((each) => each === 0),
      !name.startsWith("generator/"),
      name,
    )

  const wrong = await run(fixture, live, { program: negated })
  assert.ok(gap(wrong.loss) > 1e-3 && summaryError(expected, wrong.gradients) > 0.5)

  const shifted = (of: Tensor): Tensor => int64(of.dims, [0, ...toNumbers(of).slice(0, -1)])
  const late = await run(fixture, live, {
    tensors: (tensors) => ({ ...tensors, "generator.targets": shifted(tensors["generator.targets"]!) }),
  })
  assert.ok(gap(late.loss) > 1e-2 && summaryError(expected, late.gradients) > 0.1)
})
