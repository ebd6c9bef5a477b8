// Training steps of models with random weights in chosen sizes.
import { answerNll } from "@tandem/losses"
import {
  bertConfig,
  bertGraph,
  bertParameters,
  decoderConfig,
  decoderGraph,
  decoderParameters,
  type Parameter,
  pool,
} from "@tandem/models"
import { bool, float32, type Graph, GraphBuilder, int64, type Tensor } from "@tandem/onnx"
import { makeTrainStep, residentState } from "@tandem/trainers"
import { Effect } from "effect"
import { ids, noise } from "./Numbers.ts"
import { randomWeights, shapes } from "./RandomModel.ts"
import { trainingSteps } from "./TrainingSteps.ts"

export interface StepShape {
  readonly batch: number
  readonly tokens: number
  readonly layers: number
}

/** A step of MiniLM's width with so many layers on dense token ids: forward, backward, clip, AdamW. */
export const encoderStep = Effect.fnUntraced(function* ({ batch, tokens, layers }: StepShape) {
  const config = bertConfig({ ...shapes["MiniLM-L6"], num_hidden_layers: layers })
  const { graph } = bertGraph(config, { batch, tokens })
  const g = new GraphBuilder()
  const { inputs, outputs } = g.callWithInputs(graph)
  const pooled = pool(g, outputs["last_hidden_state"]!, inputs["attention_mask"]!, { mode: "mean", normalize: true })
  const target = g.constant(float32([config.hiddenSize, 1], noise(config.hiddenSize, 3)))
  const loss = g.reduceMean(g.matmul(pooled, target), [], false)
  const dims = [batch, tokens]
  return yield* stepOf(g.build({ loss }), bertParameters(config), {
    input_ids: int64(dims, ids(batch * tokens, 1, config.vocabularySize)),
    attention_mask: int64(dims, Array(batch * tokens).fill(1)),
    token_type_ids: int64(dims, Array(batch * tokens).fill(0)),
  })
})

export interface PromptShape {
  /** Passages of each query: as many prompts. */
  readonly passages: number
  readonly queries: number
  readonly tokens: number
  /** Of these so many at the beginning that the prompts of a query share, computed once; each prompt alone where absent. */
  readonly shared?: number
  /** Tokens at the end of each prompt that the loss is on. */
  readonly answer: number
}

/** A step of a small decoder on prompts of one query and one passage each, the loss on the answers. */
export const decoderStep = Effect.fnUntraced(function* ({ passages, queries, answer, ...prompt }: PromptShape) {
  const config = decoderConfig({ ...shapes["SmolLM-135M"], vocab_size: 8192, num_hidden_layers: 4 })
  const batch = queries * passages
  const tokens = prompt.tokens - (prompt.shared ?? 0)
  const prefix = prompt.shared === undefined ? undefined : { rows: queries, tokens: prompt.shared }
  const places = Array.from({ length: batch }, (_, row) =>
    Array.from({ length: answer }, (_, column) => (row + 1) * tokens - answer - 1 + column),
  ).flat()
  const { graph } = decoderGraph(config, { batch, tokens, logitRows: places.length, ...(prefix && { prefix }) })
  const g = new GraphBuilder()
  const logits = g.callWithInputs(graph).outputs["logits"]!
  const tokenIds = ids(batch * tokens, 1, config.vocabularySize)
  const targets = g.constant(
    int64(
      [places.length],
      places.map((place) => tokenIds[place + 1]!),
    ),
  )
  const mask = g.constant(bool([places.length], Array(places.length).fill(true)))
  const { loss } = answerNll(g, { logits, targets, mask })
  const real = (rows: number, length: number) => int64([rows, length], Array(rows * length).fill(1))
  return yield* stepOf(g.build({ loss }), decoderParameters(config), {
    input_ids: int64([batch, tokens], tokenIds),
    attention_mask: real(batch, tokens),
    ...(prefix && {
      prefix_input_ids: int64([prefix.rows, prefix.tokens], ids(prefix.rows * prefix.tokens, 2, config.vocabularySize)),
      prefix_attention_mask: real(prefix.rows, prefix.tokens),
    }),
    logit_rows: int64([places.length], places),
  })
})

const stepOf = Effect.fnUntraced(function* (
  graph: Graph,
  described: readonly Parameter[],
  tensors: Readonly<Record<string, Tensor>>,
) {
  const parameters = randomWeights(described)
  const state = yield* residentState(parameters, [...parameters.keys()])
  const compiled = yield* makeTrainStep({ graph, loss: "loss", dropout: [] }, state)
  return trainingSteps(state, 1e-5, () => ({ compiled, batch: { key: "", examples: 1, tensors } }))
})
