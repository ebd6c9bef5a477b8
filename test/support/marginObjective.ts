// A toy objective in a page: a question is to score its passage above the best wrong one that the store finds for it.
import type { Example } from "@tandem/datasets"
import { type Encoder, embeddingSize, encoderInputs, pad, pool } from "@tandem/models"
import { float32, GraphBuilder } from "@tandem/onnx"
import { makeRetrieve, sharedTower, towerName, towerParameters } from "@tandem/retriever"
import { Exact } from "@tandem/store"
import { asDrafted, type Live } from "@tandem/trainers"
import { Effect } from "effect"
import type { IndexedWorld } from "./marginRun.ts"

const [size, tokens, margin] = [8, 24, 0.2]
const encoding = { similarity: "cosine", maxLength: tokens } as const

export const marginObjective = Effect.fnUntraced(function* (
  encoder: Encoder,
  { train, passages, vectors }: IndexedWorld,
) {
  const towers = sharedTower(encoder)
  const width = embeddingSize(encoder.config)
  const store = yield* Exact.make({ dimension: width, similarity: "cosine", fingerprint: "words" })
  yield* store.add({ passages, vectors, fingerprint: "words" })
  const places = new Map(passages.map(({ id }, place) => [id, place * width]))
  const retrieve = yield* makeRetrieve({ towers, store, ...encoding })
  const vectorsOf = (ids: readonly string[]) =>
    float32(
      [size, width],
      ids.flatMap((id) => [...vectors.subarray(places.get(id)!, places.get(id)! + width)]),
    )
  const program = Effect.gen(function* () {
    const g = new GraphBuilder()
    const { graph } = yield* encoder.graph({ batch: size, tokens })
    const nameOf = (name: string) => (encoder.parameters.has(name) ? towerName(towers, "query", name) : name)
    const { inputs, outputs } = g.callWithInputs(graph, nameOf)
    const question = pool(g, outputs["last_hidden_state"]!, inputs["attention_mask"]!, encoder.pooling)
    const score = (side: string) => g.reduceSum(g.mul(question, g.input(side, "float32", [size, width])), [1], false)
    const loss = g.reduceMean(g.relu(g.add(g.sub(score("wrong"), score("right")), g.scalar(margin))), [0], false)
    return { graph: g.build({ loss }, "margin"), loss: "loss", dropout: [] }
  })
  return {
    name: "margin",
    parameters: towerParameters(towers),
    draftsPerEpoch: Math.floor(train.length / size),
    draft: (index: number) =>
      Effect.sync(() => Array.from({ length: size }, (_, row) => train[(index * size + row) % train.length]!)),
    complete: Effect.fnUntraced(function* (draft: readonly Example[], { weights }: Live) {
      const questions = draft.map(({ query }) => query)
      const hits = (yield* retrieve(weights, questions, 8)).map((list) => list.map(({ passage }) => passage.id))
      const wrong = draft.map(({ positives }, row) => hits[row]!.find((id) => !positives.includes(id))!)
      const texts = questions.map((question) => encoder.tokenizer.encode(question, { maxLength: tokens }))
      const inputs = encoderInputs(pad(texts, encoder.config.padTokenId, tokens), encoder.inputs)
      const right = draft.map(({ positives }) => positives[0]!)
      const tensors = { ...inputs, right: vectorsOf(right), wrong: vectorsOf(wrong) }
      return yield* asDrafted({ key: "all", tensors, examples: size })
    }),
    program: () => program,
  }
})
