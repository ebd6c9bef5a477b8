// Training steps of tiny models, as a page can run them: no file is read, every number follows from seeds.
import { addLora, initialAdapters } from "@tandem/autodiff"
import { answerNll, inBatchNll, rowsOfPlaces } from "@tandem/losses"
import { pool, tinyDecoder, tinyEncoder, trainWordPiece } from "@tandem/models"
import { float32, GraphBuilder, int64, type Tensor } from "@tandem/onnx"
import { Runtime } from "@tandem/runtime"
import { adamW, type Batch, dropoutRate, makeTrainStep, optimize, type Program, residentState } from "@tandem/trainers"
import { Effect } from "effect"

/** A program with its parameters and one batch. */
interface Step {
  readonly program: Program
  readonly parameters: ReadonlyMap<string, Tensor>
  readonly trainable: readonly string[]
  readonly batch: Batch
}

/** What a step came to; arrays by parameter name, so that it can leave a page. */
export interface StepResult {
  readonly provider: string
  readonly loss: number
  readonly gradients: Readonly<Record<string, readonly number[]>>
  /** Trained parameters after one update of AdamW. */
  readonly updated: Readonly<Record<string, readonly number[]>>
  readonly gradientNorm: number
  /** Operators that ran on the CPU beside the device. */
  readonly fallbacks: readonly string[]
  readonly seconds: { readonly compile: number; readonly first: number; readonly second: number }
}

const sentences = ["the river was long and the bridge over it was old", "who built the old bridge over the long river"]
const vocabulary = () => trainWordPiece(sentences, { vocabularySize: 60 })

/** Weights of a spread at which gradients are far from rounding. */
const spread = (parameters: ReadonlyMap<string, Tensor>): ReadonlyMap<string, Tensor> =>
  new Map(
    [...parameters].map(([name, value]) => [
      name,
      value.dims.length > 1 && value.data instanceof Float32Array
        ? { ...value, data: value.data.map((weight) => 8 * weight) }
        : value,
    ]),
  )

/** Token ids of rows whose lengths fall by one, with their mask. */
const rows = (batch: number, tokens: number, size: number): { readonly ids: Tensor; readonly mask: Tensor } => {
  const places = Array.from({ length: batch * tokens }, (_, place) => place)
  const real = (place: number): boolean => place % tokens < tokens - Math.floor(place / tokens)
  return {
    ids: int64(
      [batch, tokens],
      places.map((place) => (real(place) ? 5 + ((place * 7) % (size - 5)) : 0)),
    ),
    mask: int64(
      [batch, tokens],
      places.map((place) => (real(place) ? 1 : 0)),
    ),
  }
}

/** A dual encoder of one BERT with in-batch negatives, dropout and, where asked, packed rows. */
const bert = (packed: boolean) =>
  Effect.gen(function* () {
    const encoder = tinyEncoder({
      seed: 1,
      vocabulary: vocabulary(),
      hidden: 32,
      heads: 2,
      intermediate: 64,
      maxLength: 16,
    })
    const parameters = spread(encoder.parameters)
    const g = new GraphBuilder()
    const rate = dropoutRate(0.1)
    const tensors: Record<string, Tensor> = {}
    const dropout: { input: string; rate: number }[] = []
    const embed = Effect.fnUntraced(function* (side: string, batch: number, tokens: number) {
      const { ids, mask } = rows(batch, tokens, encoder.config.vocabularySize)
      const real = [...mask.data.keys()].filter((place) => Number(mask.data[place]) === 1)
      const given: Record<string, Tensor> = { input_ids: ids, attention_mask: mask }
      given["token_type_ids"] = int64(ids.dims, Array<number>(batch * tokens).fill(0))
      if (packed) given["packed_rows"] = int64([real.length], real)
      const shape = { batch, tokens, dropout: { hidden: rate, attention: rate } }
      const built = yield* encoder.graph(packed ? { ...shape, packedRows: real.length } : shape)
      for (const [name, tensor] of Object.entries(given)) tensors[`${side}.${name}`] = tensor
      for (const site of built.dropout) dropout.push({ ...site, input: `${side}.${site.input}` })
      const { inputs, outputs } = g.callWithInputs(built.graph, (name) =>
        parameters.has(name) ? name : `${side}.${name}`,
      )
      return pool(g, outputs["last_hidden_state"]!, inputs["attention_mask"]!, { mode: "mean", normalize: true })
    })
    // Of one shape, so that both need the same shaders.
    const towers = { queries: yield* embed("query", 4, 8), passages: yield* embed("passage", 4, 8) }
    const { loss } = inBatchNll(g, towers, { similarity: "cosine", temperature: 0.1 })
    const program: Program = { graph: g.build({ loss }), loss: "loss", dropout }
    return { program, parameters, trainable: [...parameters.keys()], batch: { key: "bert", tensors, examples: 4 } }
  })

/** Prefixes of rows, each one real token shorter than the one before. */
const prefixesOf = (count: number, tokens: number, vocabularySize: number) => {
  const { ids, mask } = rows(count, tokens, vocabularySize)
  return {
    shape: { prefix: { rows: count, tokens } },
    tensors: { prefix_input_ids: ids, prefix_attention_mask: mask },
  }
}

/** A Llama with grouped queries that learns to go on with texts, by adapters of low rank; pairs may share a prefix. */
const llamaLora = (batch: number, prefixed: boolean) =>
  Effect.gen(function* () {
    const decoder = tinyDecoder({ seed: 2, vocabulary: vocabulary(), hidden: 32, keyValueHeads: 2, intermediate: 64 })
    const tokens = 10
    const { ids, mask } = rows(batch, tokens, decoder.vocabularySize)
    const places = [...mask.data.keys()].filter((place) => place % tokens > 3 && Number(mask.data[place]) === 1)
    const prefixes = prefixed ? prefixesOf(batch / 2, 6, decoder.vocabularySize) : undefined
    const { graph } = yield* decoder.graph({ batch, tokens, logitRows: places.length, ...prefixes?.shape })
    const g = new GraphBuilder()
    const { inputs, outputs } = g.callWithInputs(graph)
    const logits = outputs["logits"]!
    const targets = g.input("targets", "int64", [places.length, 1])
    const weights = g.input("weights", "float32", [places.length, 1])
    const answers = { logits, targets, mask: weights, rows: rowsOfPlaces(g, inputs["logit_rows"]!, { batch, tokens }) }
    const base = g.build({ loss: answerNll(g, answers, { reduction: "example" }).loss })
    const adapted = addLora(base, {
      rank: 4,
      alpha: 8,
      dropout: dropoutRate(0.1),
      targets: ["q_proj", "v_proj", "gate_proj", "down_proj"],
    })
    const adapters = new Map<string, Tensor>(initialAdapters(adapted.adapters, 3))
    // As after some training: B that is zero would let no gradient through to A.
    for (const { b } of adapted.adapters) {
      const { data, ...value } = adapters.get(b)!
      adapters.set(b, { ...value, data: Float32Array.from({ length: data.length }, (_, index) => Math.sin(index) / 4) })
    }
    const tensors = {
      input_ids: ids,
      attention_mask: mask,
      ...prefixes?.tensors,
      logit_rows: int64(
        [places.length],
        places.map((place) => place - 1),
      ),
      targets: int64(
        [places.length, 1],
        places.map((place) => Number(ids.data[place])),
      ),
      // The last is no label
      weights: float32(
        [places.length, 1],
        places.map((_, index) => (index < places.length - 1 ? 1 : 0)),
      ),
    }
    return {
      program: { graph: adapted.graph, loss: "loss", dropout: adapted.dropout },
      parameters: new Map([...spread(decoder.parameters), ...adapters]),
      trainable: [...adapters.keys()],
      batch: { key: "llama", tensors, examples: batch },
    }
  })

/** The steps by name. */
const steps = {
  bert: bert(false),
  "bert, packed rows": bert(true),
  "llama with LoRA": llamaLora(2, false),
  "llama with LoRA, shared prefixes": llamaLora(4, true),
} as const

export type StepName = keyof typeof steps
export const stepNames: readonly StepName[] = [
  "bert",
  "bert, packed rows",
  "llama with LoRA",
  "llama with LoRA, shared prefixes",
]
export const isStepName = (name: string): name is StepName => stepNames.some((known) => known === name)

/** Runs a step on the runtime at hand: forward, backward and an update of AdamW; forward and backward twice, for the clock. */
export const runStep = Effect.fnUntraced(function* (name: StepName) {
  const runtime = yield* Runtime
  const { program, parameters, trainable, batch }: Step = yield* steps[name]
  const state = yield* residentState(parameters, trainable, { optimizer: adamW() })
  const clock = [performance.now()]
  const step = yield* makeTrainStep(program, state)
  clock.push(performance.now())
  const draw = { seed: 7, step: 1 }
  yield* step.run(batch, draw)
  clock.push(performance.now())
  const { loss } = yield* step.run(batch, draw)
  clock.push(performance.now())
  const read = Effect.fnUntraced(function* (buffers: readonly (typeof state.gradients)[number][]) {
    const values: Record<string, readonly number[]> = {}
    for (const [index, buffer] of buffers.entries())
      values[trainable[index]!] = Array.from((yield* runtime.download(buffer)).data, Number)
    return values
  })
  const gradients = yield* read(state.gradients)
  const { gradNorm: gradientNorm } = yield* optimize(state, { optimizer: adamW() }, { learningRate: 1e-3, count: 1 })
  const updated = yield* read(trainable.map((parameter) => state.weights[parameter]!))
  const [compile = 0, first = 0, second = 0] = clock.slice(1).map((time, index) => (time - clock[index]!) / 1000)
  return {
    provider: runtime.device.provider,
    loss,
    gradients,
    updated,
    gradientNorm,
    fallbacks: step.executable.fallbacks,
    seconds: { compile, first, second },
  } satisfies StepResult
}, Effect.scoped)
