import assert from "node:assert/strict"
import { after, describe, it } from "node:test"
import { operatorName } from "@tandem/onnx"
import { builtinRules } from "../../src/RuleTable.ts"
import { checkVjp } from "../../src/testing.ts"
import { grid } from "../cases/Grid.ts"
import { caseOf, cases } from "../cases/index.ts"
import { cpu } from "../support/Run.ts"

const { run, close } = cpu()
after(close)

const byOperator = Map.groupBy(grid, ({ op, domain = "" }) => operatorName({ op, domain }))

describe("ONNX Runtime's grid: every element of a gradient is the numeric one within its tolerance", () => {
  for (const [key, rows] of byOperator) {
    it(`${key}, ${rows.length} rows`, async () => {
      for (const each of rows) await checkVjp(run, each, { tolerance: each.tolerance, elements: 160, draws: 8 })
    })
  }

  // What ONNX Runtime has no gradients of gets its usual tolerance
  for (const [key, list] of Object.entries(cases)) {
    if (byOperator.has(key)) continue
    it(`${key}, ${list.length} rows of our own`, async () => {
      for (const each of list) await checkVjp(run, caseOf(key, each), { tolerance: 1.5e-2, elements: 160, draws: 8 })
    })
  }

  it("has rows for all that ONNX Runtime has gradients of, and each of them has a rule", () => {
    const registered =
      "Cast Sin Log Tanh Sqrt Erf Relu Pow Add Sub Mul Div Neg Sigmoid Exp Clip Abs Min Max Where Identity MatMul Gemm Conv ReduceMean ReduceSum ReduceLogSumExp ReduceL2 Split Concat Reshape Transpose Squeeze Unsqueeze Slice Expand Flatten Tile Pad Gather GatherND GatherElements TopK Softmax LogSoftmax SoftmaxCrossEntropyLoss Gelu com.microsoft.Gelu com.microsoft.BiasGelu com.microsoft.FastGelu LayerNormalization SimplifiedLayerNormalization"
    assert.deepEqual(
      registered.split(" ").filter((key) => !byOperator.has(key)),
      [],
    )
    assert.deepEqual(
      [...byOperator.keys()].filter((key) => !Object.hasOwn(builtinRules, key)),
      [],
    )
  })
})
