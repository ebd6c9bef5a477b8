// Training runs of a whole dual encoder against PyTorch's: losses, gradient norms, learning rates and final weights.
import assert from "node:assert/strict"
import { test } from "node:test"
import { inBatchNll } from "@tandem/losses"
import { bertConfig, bertGraph, bertInputs, pickBertWeights, pool } from "@tandem/models"
import { GraphBuilder, int64, type Tensor } from "@tandem/onnx"
import {
  adamW,
  asDrafted,
  type Batch,
  Checkpoints,
  type Program,
  type TrainEvent,
  train,
  type UpdateSettings,
} from "@tandem/trainers"
import { Effect } from "effect"
import { assertTrained } from "./support/AssertTrained.ts"
import { goldenJson, goldenTensors, onCpu } from "./support/Golden.ts"

const config = bertConfig(goldenJson("bert-tiny/config.json"))
const { parameters } = pickBertWeights(config, goldenTensors("bert-tiny/model.safetensors"))
const expected = goldenJson("dual-encoder/losses.json")
const batches = goldenTensors("dual-encoder/batches.safetensors")

/** Adam turns the rounding of gradients that are zero into whole steps, so these weights are noise on both sides. */
const isKeyBias = (name: string): boolean => name.endsWith("attention.self.key.bias")

const sides = ["query", "passage"] as const
type Side = (typeof sides)[number]

const batchAt = (index: number): Batch => {
  const tensors: Record<string, Tensor> = {}
  for (const side of sides) {
    const prefix = `step${String(index % expected.steps).padStart(2, "0")}.${side}`
    const { dims } = batches.get(`${prefix}.input_ids`)!
    const zeros = int64(dims, Array<number>(dims[0]! * dims[1]!).fill(0))
    for (const name of bertInputs(config)) tensors[`${side}.${name}`] = batches.get(`${prefix}.${name}`) ?? zeros
  }
  const key = sides.map((side) => tensors[`${side}.input_ids`]!.dims.join("x")).join(" ")
  return { key, tensors, examples: 4 }
}

/** Two calls of one encoder; the passages are 4 positives, then 4 negatives. */
const program = ({ tensors }: Batch): Program => {
  const g = new GraphBuilder()
  const embed = (side: Side) => {
    const [batch = 0, tokens = 0] = tensors[`${side}.input_ids`]!.dims
    const { inputs, outputs } = g.callWithInputs(bertGraph(config, { batch, tokens }).graph, (name) =>
      parameters.has(name) ? name : `${side}.${name}`,
    )
    return pool(g, outputs["last_hidden_state"]!, inputs["attention_mask"]!, { mode: "mean", normalize: false })
  }
  const towers = { queries: embed("query"), passages: embed("passage") }
  const { loss } = inBatchNll(g, towers, { similarity: "cosine", temperature: 0.05 })
  return { graph: g.build({ loss }), loss: "loss", dropout: [] }
}

interface Variant {
  readonly update?: Partial<UpdateSettings>
  readonly warmupSteps?: number
  /** Batches to leave out at the front: moves the data against the schedule. */
  readonly shift?: number
  readonly frozen?: (name: string) => boolean
}

const run = async ({ update = {}, warmupSteps = 2, shift = 0, frozen = () => false }: Variant = {}) => {
  const events: Extract<TrainEvent, { event: "step" }>[] = []
  const result = await onCpu(
    train(
      {
        name: "golden",
        parameters,
        trainable: [...parameters.keys()].filter((name) => !frozen(name)),
        draftsPerEpoch: expected.steps,
        draft: (index) => Effect.sync(() => batchAt(index + shift)),
        complete: asDrafted,
        program: (batch) => Effect.sync(() => program(batch)),
      },
      {
        schedule: { kind: "linear", learningRate: 1e-3, warmupSteps, steps: expected.steps },
        optimizer: adamW(),
        ...update,
        seed: 0,
        fingerprint: "golden",
        saveEverySteps: 1000,
        resume: false,
        programs: 20,
        emit: (event) => Effect.sync(() => void (event.event === "step" && events.push(event))),
      },
    ).pipe(Effect.scoped, Effect.provide(Checkpoints.layerMemory)),
  )
  return { events, weights: result.last }
}

const difference = (a: readonly number[], b: readonly number[]): number => {
  assert.equal(a.length, b.length)
  return Math.max(...a.map((value, index) => Math.abs(value - b[index]!)))
}

const numbers = (tensor: Tensor | undefined): readonly number[] => Array.from(tensor?.data ?? [], Number)

/** ‖w − w'‖ / ‖w' − w₀‖ of the worst parameter: how far off the way that training went. */
const astray = (weights: ReadonlyMap<string, Tensor>) => {
  let worst = { name: "", error: 0, absolute: 0 }
  for (const [name, final] of goldenTensors("dual-encoder/final.safetensors")) {
    if (isKeyBias(name)) continue
    const [found, wanted, before] = [weights.get(name), final, parameters.get(name)].map(numbers)
    assert.equal(found!.length, wanted!.length, name)
    const far = Math.hypot(...wanted!.map((value, index) => value - before![index]!))
    const off = Math.hypot(...wanted!.map((value, index) => value - found![index]!))
    const absolute = Math.max(worst.absolute, difference(found!, wanted!))
    worst = off / far > worst.error ? { name, error: off / far, absolute } : { ...worst, absolute }
  }
  return worst
}

test("20 steps of AdamW are PyTorch's", async (t) => {
  const { events, weights } = await run()
  const losses = difference(
    events.map(({ loss }) => loss),
    expected.losses,
  )
  const rates = difference(
    events.map(({ lr }) => lr),
    expected.learningRates,
  )
  const norms = Math.max(...events.map(({ gradNorm }, index) => Math.abs(gradNorm / expected.gradientNorms[index] - 1)))
  const { name, error, absolute } = astray(weights)
  t.diagnostic(`losses ${losses.toExponential(1)}, norms ${norms.toExponential(1)} relative`)
  t.diagnostic(`weights ${absolute.toExponential(1)}, of the way ${error.toExponential(1)} (${name})`)
  assert.ok(losses <= 1e-4, `losses stray by ${losses}`)
  assert.ok(rates <= 1e-15, `learning rates stray by ${rates}`)
  assert.ok(norms <= 1e-4, `gradient norms stray by ${norms}`)
  assert.ok(absolute <= 1e-4, `weights stray by ${absolute}`)
  assert.ok(error <= 1e-3, `${name} strays by ${error} of its way`)
})

const controls: Readonly<Record<string, Variant>> = {
  "without weight decay": { update: { weightDecay: 0 } },
  "with everything decayed": { update: { decays: () => true } },
  "without clipping": { update: { clip: 0 } },
  "with another warm-up": { warmupSteps: 1 },
  "with the batches one step early": { shift: 1 },
}

for (const [name, variant] of Object.entries(controls)) {
  test(`the comparison sees a run ${name}`, async (t) => {
    const { events, weights } = await run(variant)
    const losses = difference(
      events.map(({ loss }) => loss),
      expected.losses,
    )
    const { error } = astray(weights)
    t.diagnostic(`losses ${losses.toExponential(1)}, weights ${error.toExponential(1)} of the way`)
    assert.ok(losses > 1e-4 || error > 1e-3)
  })
}

test("every trainable parameter moves and frozen ones keep their bits", async () => {
  const frozen = (name: string) => name.startsWith("embeddings.") || name.includes("layer.0.")
  const names = [...parameters.keys()]
  const { weights } = await run({ frozen })
  const after = new Map(names.map((name) => [name, weights.get(name) ?? parameters.get(name)!]))
  assert.deepEqual([...weights.keys()].sort(), names.filter((name) => !frozen(name)).sort())
  assertTrained(parameters, after, { frozen })
  const { weights: whole } = await run()
  assertTrained(parameters, whole, { frozen: () => false })
  assert.throws(() => assertTrained(parameters, whole, { frozen }), /embeddings.*changed/)
  assert.throws(() => assertTrained(parameters, after, { frozen: () => false }), /did not move/)
})
