// Whole training steps of `train` itself on a MiniLM-L6-shaped encoder, given passage vectors and dense token ids.
import { inBatchNll } from "@tandem/losses"
import { bertConfig, bertGraph, bertParameters, pool } from "@tandem/models"
import { float32, GraphBuilder, int64 } from "@tandem/onnx"
import { adamW, asDrafted, type Batch, Checkpoints, type Program, train } from "@tandem/trainers"
import { Effect } from "effect"
import { answerInTurns } from "../support/AnswerInTurns.ts"
import { ids, noise } from "../support/Numbers.ts"
import { productsOf } from "../support/Products.ts"
import { randomWeights, shapes } from "../support/RandomModel.ts"
import { type SideRuntimeSettings, sideRuntime } from "../support/SideRuntime.ts"

interface Settings extends SideRuntimeSettings {
  readonly batch: number
  readonly tokens: number
  readonly warmup: number
  readonly rounds: number
}
const settings: Settings = JSON.parse(process.argv[2] ?? "{}")
const { batch, tokens, warmup, rounds } = settings
const config = bertConfig(shapes["MiniLM-L6"])

/** The encoder, mean pooling and in-batch NLL against given passage vectors. */
const program = (): Program => {
  const { graph } = bertGraph(config, { batch, tokens })
  const g = new GraphBuilder()
  const { inputs, outputs } = g.callWithInputs(graph)
  const queries = pool(g, outputs["last_hidden_state"]!, inputs["attention_mask"]!, { mode: "mean", normalize: false })
  const passages = g.input("passages", "float32", [batch, config.hiddenSize])
  const { loss } = inBatchNll(g, { queries, passages }, { similarity: "cosine", temperature: 0.05 })
  return { graph: g.build({ loss }), loss: "loss", dropout: [] }
}

const inputs = (): Batch => {
  const dims = [batch, tokens]
  const count = batch * tokens
  return {
    key: "dense",
    examples: batch,
    tensors: {
      input_ids: int64(dims, ids(count, 7, config.vocabularySize)),
      attention_mask: int64(dims, Array(count).fill(1)),
      token_type_ids: int64(dims, Array(count).fill(0)),
      passages: float32([batch, config.hiddenSize], noise(batch * config.hiddenSize, 9)),
    },
  }
}

const parameters = randomWeights(bertParameters(config))
const steps = warmup + rounds
let last = { seconds: 0, values: [0] }
await answerInTurns(
  (turns) =>
    train(
      {
        name: "train-step",
        parameters,
        trainable: [...parameters.keys()],
        draftsPerEpoch: steps,
        draft: () => Effect.sync(inputs),
        complete: asDrafted,
        program: () => Effect.sync(program),
      },
      {
        schedule: { kind: "constant", learningRate: 1e-4, warmupSteps: 0, steps },
        optimizer: adamW(),
        seed: 0,
        fingerprint: "train-step",
        saveEverySteps: steps,
        resume: false,
        emit: (event) =>
          Effect.promise(async () => {
            if (event.event !== "step") return
            last = { seconds: event.seconds, values: [event.loss] }
            if (event.step >= warmup) await turns.end()
          }),
      },
    ).pipe(Effect.scoped, Effect.provide([sideRuntime(settings), Checkpoints.layerMemory])),
  async (turn) => {
    await turn()
    return last
  },
  { products: productsOf(program().graph, parameters.keys()) },
)
