import assert from "node:assert/strict"
import { test } from "node:test"
import { builtinRules, MissingGradient, type RuleTable } from "@tandem/autodiff"
import { readModel, type Tensor } from "@tandem/onnx"
import { Effect } from "effect"
import { InvalidReference } from "../../src/Errors.ts"
import { gradCheck } from "../../src/GradCheck.ts"
import { goldenBytes, goldenTensors } from "../support/Golden.ts"
import { withRuntime } from "../support/WithRuntime.ts"

const model = (path: string) => readModel(goldenBytes(path))

const check = (path: string, reference: ReadonlyMap<string, Tensor>, rules?: RuleTable) =>
  withRuntime(gradCheck(model(path), { reference, ...(rules === undefined ? {} : { rules }) }))

const failure = (path: string, reference: ReadonlyMap<string, Tensor>, rules?: RuleTable) =>
  withRuntime(Effect.flip(gradCheck(model(path), { reference, ...(rules === undefined ? {} : { rules }) })))

for (const name of ["bert-tiny", "distilbert-tiny"]) {
  const reference = goldenTensors(`${name}/reference.safetensors`)
  const parameters = [...reference.keys()].flatMap((key) => (key.startsWith("w.") ? [key.slice(2)] : []))
  for (const file of ["dynamo.onnx", "script.onnx", "script-opset14.onnx"]) {
    test(`${name}/${file}: loss and every gradient are PyTorch's`, async () => {
      const report = await check(`${name}/${file}`, reference)
      assert.deepEqual(report.unmatched, [])
      assert.deepEqual(report.ambiguous, [])
      assert.deepEqual(report.parameters.map((parameter) => parameter.name).sort(), [...parameters].sort())
      assert.ok(report.parameters.every(({ relativeError }) => relativeError <= 1e-4))
      assert.ok(report.outputError !== null && report.outputError < 1e-5)
      assert.deepEqual(report.withoutGradient, [])
      assert.equal(report.ok, true)
    })
  }
}

const path = "bert-tiny/script.onnx"
const reference = goldenTensors("bert-tiny/reference.safetensors")
const changed = (name: string, change: (data: Float32Array) => void): ReadonlyMap<string, Tensor> => {
  const value = reference.get(name)!
  const data = Float32Array.from(value.data, Number)
  change(data)
  return new Map(reference).set(name, { ...value, data })
}

test("a planted wrong rule is found", async () => {
  for (const [op, input] of [
    ["Softmax", "input"],
    ["Transpose", "data"],
    ["Gelu", "X"],
  ] as const) {
    const [rule] = builtinRules[op]!
    const right = rule!.inputs[input]!
    assert.ok(typeof right === "function")
    const wrong: RuleTable = {
      ...builtinRules,
      [op]: [
        {
          ...rule!,
          inputs: {
            ...rule!.inputs,
            [input]: (context, index) => {
              const value = right(context, index)
              assert.ok(typeof value !== "function")
              return context.g.mul(value, context.g.scalar(1.001))
            },
          },
        },
      ],
    }
    const report = await check(path, reference, wrong)
    assert.equal(report.ok, false)
    assert.ok(report.parameters.some(({ relativeError }) => relativeError > 1e-4))
    assert.deepEqual([report.unmatched, report.ambiguous], [[], []])
  }
})

test("an operator without a rule is an error, never a zero", async () => {
  const { Softmax: _softmax, ...rules } = builtinRules
  const error = await failure(path, reference, rules)
  assert.ok(error instanceof MissingGradient)
  assert.equal(error.op, "Softmax")
})

test("an altered gradient, weight or loss is found", async () => {
  const gradient = "g.encoder.layer.0.attention.self.query.weight"
  const wrong = await check(
    path,
    changed(gradient, (data) => data.set([data[5]! * -1], 5)),
  )
  assert.equal(wrong.ok, false)
  assert.deepEqual(
    wrong.parameters.filter(({ relativeError }) => relativeError > 1e-4).map(({ name }) => `g.${name}`),
    [gradient],
  )
  const weight = "w.encoder.layer.1.output.dense.weight"
  const moved = await check(
    path,
    changed(weight, (data) => data.set([data[0]! + 0.5], 0)),
  )
  assert.equal(moved.ok, false)
  assert.deepEqual(moved.unmatched, ["encoder.layer.1.output.dense.weight"])
  assert.equal(moved.constants.length, 1)
  const loss = await check(
    path,
    changed("loss", (data) => data.set([data[0]! + 1e-3], 0)),
  )
  assert.equal(loss.ok, false)
})

test("parameters of equal values are told apart by nothing; equal gradients make them one tied weight", async () => {
  const [a, b] = ["encoder.layer.0.output.LayerNorm.bias", "encoder.layer.1.output.LayerNorm.bias"]
  const twice = new Map(reference).set(`w.${b}`, reference.get(`w.${a}`)!)
  const report = await check(path, twice)
  assert.equal(report.ok, false)
  assert.deepEqual([...report.ambiguous].sort(), [a, b])
  const tied = new Map(reference).set("w.alias", reference.get(`w.${a}`)!).set("g.alias", reference.get(`g.${a}`)!)
  const both = await check(path, tied)
  assert.equal(both.ok, true)
  const partners = both.parameters.filter(({ name }) => name === "alias" || name === a).map(({ partner }) => partner)
  assert.equal(partners.length, 2)
  assert.equal(partners[0], partners[1])
})

test("a reference that lacks something, or does not fit the model, says what", async () => {
  const without = (name: string) => new Map([...reference].filter(([key]) => key !== name))
  for (const name of ["R", "loss", "in.input_ids", "w.embeddings.word_embeddings.weight"]) {
    const error = await failure(path, without(name))
    assert.ok(error instanceof InvalidReference, String(error))
    assert.equal(error.tensor, name)
  }
  const R = reference.get("R")!
  const shorter = new Map(reference).set("R", { ...R, dims: [2, 10, 32], data: R.data.slice(0, 640) })
  const error = await failure(path, shorter)
  assert.ok(error instanceof InvalidReference)
  assert.deepEqual([error.tensor, error.found], ["R", "float32[2,10,32]"])
})

for (const name of ["bert-tiny/script.onnx", "distilbert-tiny/dynamo.onnx"]) {
  test(`${name}: derivatives agree with finite differences, for every weight`, async () => {
    const report = await withRuntime(gradCheck(model(name)))
    assert.equal(report.ok, true)
    assert.equal(report.lossReference, null)
    assert.equal(report.parameters.length, name.startsWith("bert") ? 37 : 36)
    assert.ok(report.parameters.every(({ relativeError }) => relativeError <= 1e-2))
    // Rounding hides nothing but the biases of attention's keys, whose gradients are zero by symmetry.
    const blurred = report.parameters.filter(({ resolution = 1 }) => resolution > 1e-2)
    assert.ok(blurred.every((parameter) => /key\.bias|k_lin\.bias/.test(parameter.name)))
  })
}

test("finite differences find a planted wrong rule, also one that loses a part of the gradient", async () => {
  const { Softmax: softmax, Transpose: transpose, ...rest } = builtinRules
  const wrong = (rule: RuleTable[string], input: string, share: (index: number) => number): RuleTable[string] => {
    const right = rule?.[0]?.inputs[input]
    assert.ok(rule?.[0] !== undefined && typeof right === "function")
    return [
      {
        ...rule[0],
        inputs: {
          ...rule[0].inputs,
          [input]: (context, index) => {
            const value = right(context, index)
            assert.ok(typeof value !== "function")
            const width = Number(value.dims?.at(-1))
            const shares = Float32Array.from({ length: width }, (_, at) => share(at))
            return context.g.mul(value, context.g.constant({ type: "float32", dims: [width], data: shares }))
          },
        },
      },
    ]
  }
  for (const rules of [
    { ...rest, Transpose: transpose!, Softmax: wrong(softmax!, "input", () => 1.05)! },
    { ...rest, Softmax: softmax!, Transpose: wrong(transpose!, "data", (at) => (at % 4 === 3 ? 0 : 1))! },
  ]) {
    const report = await withRuntime(gradCheck(model("distilbert-tiny/dynamo.onnx"), { rules }))
    assert.equal(report.ok, false)
    assert.ok(report.parameters.some(({ ok, relativeError }) => !ok && relativeError > 1e-2))
  }
})

test("a factor and a summand that the exporter folded into a weight are seen", async () => {
  const graph = model(path)
  const name = "encoder.layer.0.output.LayerNorm.weight"
  const weight = reference.get(`w.${name}`)!
  const gradient = reference.get(`g.${name}`)!
  const halved = { ...weight, data: Float32Array.from(weight.data, Number).map((value) => (value - 1) / 2) }
  const doubled = { ...gradient, data: Float32Array.from(gradient.data, Number).map((value) => value * 2) }
  const report = await withRuntime(
    gradCheck(graph, { reference: new Map(reference).set(`w.${name}`, halved).set(`g.${name}`, doubled) }),
  )
  assert.equal(report.ok, true)
  const found = report.parameters.find((parameter) => parameter.name === name)?.partners?.[0]
  assert.equal(found?.name, name)
  assert.ok(Math.abs((found.scale ?? 0) - 2) < 1e-5 && Math.abs((found.offset ?? 0) - 1) < 1e-5)
})
