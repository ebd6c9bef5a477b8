// RAG-Token with renewed retrieval: the loss of the program against the same sum by scoring prompts one by one, and gradients
// against finite differences through encoder, similarity and loss together; answers that are written so.
import assert from "node:assert/strict"
import { test } from "node:test"
import { gradientName } from "@tandem/autodiff"
import { defaultTemplate, type LocalGenerator, makeLocalGenerator, makePrompts } from "@tandem/generator"
import { tinyDecoder, tinyEncoder, trainWordPiece } from "@tandem/models"
import {
  type JointModels,
  type JointOptions,
  jointObjective,
  type Renewal,
  renewedAnswers,
  renewedLikelihoods,
  renewedQuery,
} from "@tandem/objectives"
import { float32, type Tensor, toNumbers } from "@tandem/onnx"
import { encodeAll, makeRetrieve, makeTextEncoder, towerFrom } from "@tandem/retriever"
import { Runtime } from "@tandem/runtime"
import { layer } from "@tandem/runtime/node/NodeRuntime"
import { Exact, type KnowledgeStoreShape } from "@tandem/store"
import { withGradients } from "@tandem/trainers"
import { Effect, type Scope } from "effect"

const passages = [
  "the harbour froze in the winter of the long war",
  "the king sold the mill to pay his soldiers",
  "a bridge of stone was built after the flood",
  "the miller's daughter wrote a history of the town",
  "the flood took the old bridge and the mill",
].map((text, index) => ({ id: `p${index}`, text }))
const questions = [
  { id: "a", query: "what did the flood take?", answer: "the old bridge and the mill" },
  { id: "b", query: "why was the mill sold?", answer: "to pay soldiers" },
]
const vocabulary = trainWordPiece(
  [...passages.map(({ text }) => text), ...questions.flatMap(({ query, answer }) => [query, answer])],
  { vocabularySize: 160 },
)
const sizes = { vocabulary, hidden: 16, layers: 1, heads: 2, intermediate: 32 }
const encoder = tinyEncoder({ seed: 3, ...sizes, maxLength: 24 })
const models: JointModels = {
  towers: { kind: "untied", query: encoder, passage: encoder },
  generator: tinyDecoder({ seed: 4, ...sizes, maxLength: 256 }),
}
const prompts = makePrompts(models.generator, { template: defaultTemplate, maxPrompt: 120, maxAnswer: 24 })
const retrieval = {
  similarity: "cosine",
  temperature: 0.1,
  maxLength: { query: 24, passage: 24 },
  titles: undefined,
} as const
const options: JointOptions = {
  ...{ questions, prompts, retrieval, seed: 0, batchSize: 2, k: 2, passTokens: 10_000 },
  ...{ passages: "frozen", loss: "rag-token", labelSmoothing: 0, dropout: 0, renewEvery: 3 },
}

const onCpu = <A, E>(effect: Effect.Effect<A, E, Runtime | Scope.Scope>): Promise<A> =>
  Effect.runPromise(Effect.scoped(effect).pipe(Effect.provide(layer({ threads: 1 }))))

const filled = Effect.gen(function* () {
  const { vectors, dimension } = yield* encodeAll(towerFrom(models.towers, "passage"), passages, {
    kind: "passage",
    similarity: "cosine",
  })
  const store = yield* Exact.make({ dimension, similarity: "cosine", fingerprint: "test" })
  yield* store.add({ passages, vectors, fingerprint: "test" })
  return store
})

const renewalOver = (store: KnowledgeStoreShape, every: number) =>
  Effect.map(
    makeTextEncoder(towerFrom(models.towers, "query"), { similarity: "cosine", maxLength: 24 }),
    (texts): Renewal<unknown, never> => ({
      every,
      k: 2,
      temperature: 0.1,
      prompts,
      textFor: renewedQuery({ query: encoder, generator: models.generator, retrieval }),
      search: (queries, k) => Effect.flatMap(texts.encode(queries, "query"), (vectors) => store.search({ vectors, k })),
    }),
  )

/** The first batch with what its questions find, differentiated, and all weights. */
const prepared = Effect.fnUntraced(function* (store: KnowledgeStoreShape, given: Partial<JointOptions>) {
  const search = yield* makeRetrieve({
    ...{ towers: models.towers, store, withVectors: true, similarity: "cosine", maxLength: 24 },
  })
  const objective = jointObjective(models, { ...options, ...given }, { search })
  const runtime = yield* Runtime
  const weights = yield* Effect.all(
    Object.fromEntries([...objective.parameters].map(([name, value]) => [name, runtime.upload(value)])),
  )
  const batches = yield* objective.complete(yield* objective.draft(0), { step: 0, weights })
  return { batches, parameters: objective.parameters }
})

const runOf = Effect.fnUntraced(function* (
  { batches, parameters }: Effect.Success<ReturnType<typeof prepared>>,
  changed: ReadonlyMap<string, Tensor> = new Map(),
) {
  const runtime = yield* Runtime
  let loss = 0
  let nll = 0
  const gradients = new Map<string, Float32Array>()
  for (const batch of batches) {
    const program = yield* batch.program
    const { gradients: graph } = yield* withGradients(program, parameters)
    const executable = yield* runtime.compile(graph!)
    const outputs = yield* executable.run({ ...batch.tensors, ...Object.fromEntries([...parameters, ...changed]) })
    loss += Number(outputs["loss"]!.data[0])
    nll = Number(outputs["nll"]!.data[0])
    for (const name of parameters.keys()) {
      const found = outputs[gradientName(name)]?.data
      if (!(found instanceof Float32Array)) continue
      const before = gradients.get(name)
      gradients.set(name, before === undefined ? found : found.map((value, index) => value + before[index]!))
    }
  }
  return { loss, nll, gradients }
})

test("the loss is that of answers whose beginnings are searched for, and gradients reach the query encoder", async () => {
  await onCpu(
    Effect.gen(function* () {
      const store = yield* filled
      const generator = yield* makeLocalGenerator({ model: models.generator })
      const asked = questions.map(({ query, answer }) => ({ question: query, answer: prompts.answer(answer).ids }))
      for (const every of [1, 3, 100]) {
        const first = yield* prepared(store, { renewEvery: every })
        const { loss, nll, gradients } = yield* runOf(first)
        const found = yield* renewedLikelihoods(generator, asked, yield* renewalOver(store, every))
        const total = found.reduce((sum, { logprob }) => sum - logprob, 0)
        const tokens = found.reduce((sum, each) => sum + each.tokens, 0)
        assert.ok(Math.abs(loss - total / questions.length) < 1e-4 * loss, `every ${every}: ${loss}, ${total / 2}`)
        assert.ok(Math.abs(nll - total / tokens) < 1e-4 * nll)
        if (every !== 3) continue
        const split = yield* runOf(yield* prepared(store, { renewEvery: every, passTokens: 1 }))
        assert.ok(Math.abs(split.loss - loss) < 1e-5 * loss)
        // One direction through all weights of the query encoder.
        const own = [...first.parameters].filter(([name]) => name.startsWith("query/"))
        const directions = own.map(([name, value], index) => {
          const { dims, data } = value
          const values = Float32Array.from({ length: data.length }, (_, at) => Math.sin(1 + index + 7 * at))
          return { name, dims, values, data: Float32Array.from(toNumbers(value)) }
        })
        const moved = (by: number) =>
          new Map(
            directions.map(({ name, dims, values, data }) => [
              name,
              float32(
                dims,
                data.map((value, at) => value + by * values[at]!),
              ),
            ]),
          )
        const slope = directions.reduce(
          (sum, { name, values }) =>
            sum + (gradients.get(name) ?? new Float32Array()).reduce((all, value, at) => all + value * values[at]!, 0),
          0,
        )
        const step = 1e-3
        const [up, down] = [yield* runOf(first, moved(step)), yield* runOf(first, moved(-step))]
        const measured = (up.loss - down.loss) / (2 * step)
        assert.ok(
          Math.abs(slope) > 1e-3 && Math.abs(slope - measured) < 0.02 * Math.abs(measured) + 1e-3,
          `${slope}, ${measured}`,
        )
      }
    }),
  )
})

test("one retrieval for a whole answer is RAG-Token, smoothed labels included", async () => {
  await onCpu(
    Effect.gen(function* () {
      const store = yield* filled
      for (const labelSmoothing of [0, 0.1]) {
        const renewed = yield* runOf(yield* prepared(store, { renewEvery: 100, labelSmoothing }))
        const { renewEvery: _, ...once } = { ...options, labelSmoothing }
        const search = yield* makeRetrieve({
          ...{ towers: models.towers, store, withVectors: true, similarity: "cosine", maxLength: 24 },
        })
        const objective = jointObjective(models, once, { search })
        const runtime = yield* Runtime
        const weights = yield* Effect.all(
          Object.fromEntries([...objective.parameters].map(([name, value]) => [name, runtime.upload(value)])),
        )
        const batches = yield* objective.complete(yield* objective.draft(0), { step: 0, weights })
        const plain = yield* runOf({ batches, parameters: objective.parameters })
        assert.ok(Math.abs(renewed.loss - plain.loss) < 1e-5 * plain.loss, `${renewed.loss}, ${plain.loss}`)
        for (const [name, values] of plain.gradients) {
          const others = renewed.gradients.get(name)!
          assert.ok(
            values.every((value, at) => Math.abs(value - others[at]!) < 1e-5),
            name,
          )
        }
      }
    }),
  )
})

test("answers go on from what was found last, and their probability is that of the tokens with their own passages", async () => {
  await onCpu(
    Effect.gen(function* () {
      const store = yield* filled
      const generator: LocalGenerator = yield* makeLocalGenerator({ model: models.generator })
      const renewal = yield* renewalOver(store, 2)
      const asked = questions.map(({ query }) => query)
      const answers = yield* renewedAnswers({ model: models.generator, generator }, asked, renewal)
      const scored = yield* renewedLikelihoods(
        generator,
        answers.map(({ ids }, index) => ({ question: asked[index]!, answer: ids })),
        renewal,
      )
      for (const [index, { ids, retrievals, logprob }] of answers.entries()) {
        assert.equal(retrievals.length, Math.ceil(ids.length / 2))
        assert.equal(retrievals[0]!.query, asked[index])
        assert.ok(retrievals.slice(1).every(({ query }) => query.startsWith(asked[index]!)))
        assert.ok(Math.abs(logprob - scored[index]!.logprob) < 1e-3, `${logprob}, ${scored[index]!.logprob}`)
      }
    }),
  )
})

test("what is searched for loses the answer's beginning where it is too long, never the question", () => {
  const textFor = renewedQuery({ query: encoder, generator: models.generator, retrieval })
  const ids = models.generator.tokenizer.encode(`${passages[3]!.text} ${passages[0]!.text} ${passages[4]!.text}`, {
    specialTokens: false,
  }).ids
  assert.equal(textFor("what did the flood take?", []), "what did the flood take?")
  const text = textFor("what did the flood take?", ids)
  assert.ok(text.startsWith("what did the flood take? "))
  assert.ok(text.endsWith("the mill"), text)
  assert.equal(encoder.tokenizer.encode(text, { maxLength: 24 }).cut, 0)
})
