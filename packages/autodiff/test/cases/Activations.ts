import { string } from "@tandem/onnx"
import { type Case, type Cases, nonzero, positive, real, spread, unary } from "./Values.ts"

const wide = spread([3, 5], -3, 3)
/** Both sides of 0, none of it near. */
const sides = nonzero([4, 3])

const withSettings = (settings: Readonly<Record<string, number>>, inputs = [sides]): Case => ({
  name: Object.entries(settings).join(" ").replaceAll(",", " "),
  inputs,
  attributes: Object.fromEntries(Object.entries(settings).map(([name, value]) => [name, real(value)])),
  wrt: [0],
})

const biased: readonly Case[] = [
  { name: "a bias by column", inputs: [wide, spread([5], -1, 1.1, 2)], wrt: [0, 1] },
  { name: "three axes", inputs: [spread([2, 3, 4], -2, 2), spread([4], -1, 1.1, 2)], wrt: [0, 1] },
]

export const activationCases: Cases = {
  Relu: unary(sides),
  Sigmoid: unary(spread([2, 3])),
  Gelu: [
    ...unary(wide),
    { name: "tanh", inputs: [wide], attributes: { approximate: string("tanh") }, wrt: [0] },
    { name: "none, written out", inputs: [wide], attributes: { approximate: string("none") }, wrt: [0] },
  ],
  "com.microsoft.Gelu": unary(wide),
  "com.microsoft.BiasGelu": biased,
  "com.microsoft.FastGelu": [{ name: "no bias", inputs: [wide], wrt: [0] }, ...biased],
  "com.microsoft.QuickGelu": [...unary(wide), withSettings({ alpha: 1 }, [wide])],
  Mish: unary(wide),
  Softplus: unary(wide),
  Softsign: unary(sides),
  LeakyRelu: [...unary(sides), withSettings({ alpha: 0.3 })],
  PRelu: [
    { name: "a slope each", inputs: [sides, positive([4, 3], 2)], wrt: [0, 1] },
    { name: "a slope by column", inputs: [sides, positive([3], 2)], wrt: [0, 1] },
    { name: "a slope by row", inputs: [sides, positive([4, 1], 2)], wrt: [0, 1] },
    { name: "one slope", inputs: [nonzero([2, 3, 2]), positive([1], 2)], wrt: [0, 1] },
  ],
  ThresholdedRelu: [...unary(spread([3, 4], -1.4, 2.8)), withSettings({ alpha: 0.2 })],
  Shrink: [...unary(sides), withSettings({ lambd: 0.9, bias: 0.3 })],
  Elu: [...unary(sides), withSettings({ alpha: 0.4 })],
  Selu: [...unary(sides), withSettings({ alpha: 1.2, gamma: 0.7 })],
  Celu: [...unary(sides), withSettings({ alpha: 0.5 })],
  HardSigmoid: [...unary(spread([4, 5], -4.3, 4.1)), withSettings({ alpha: 0.5, beta: 0.3 }, [spread([3, 5])])],
  HardSwish: unary(spread([4, 5], -4.3, 4.1)),
}
