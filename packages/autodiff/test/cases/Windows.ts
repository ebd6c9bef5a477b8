import { type Attributes, string, type Tensor } from "@tandem/onnx"
import { type Case, type Cases, int, ints, spread } from "./Values.ts"

type Settings = Readonly<Record<string, number | readonly number[] | string>>

const attributesOf = (settings: Settings): Attributes =>
  Object.fromEntries(
    Object.entries(settings).map(([name, value]) => [
      name,
      typeof value === "number" ? int(value) : typeof value === "string" ? string(value) : ints(...value),
    ]),
  )

const described = (settings: Settings): string =>
  Object.entries(settings)
    .map(([name, value]) => `${name} ${value}`)
    .join(" ")

/** A convolution with a bias; what it is transposed or not. */
const convolution =
  (channels: (weight: readonly number[], group: number) => number) =>
  (x: readonly number[], weight: readonly number[], settings: Settings = {}): Case => {
    const group = typeof settings["group"] === "number" ? settings["group"] : 1
    return {
      name: `[${x}] with [${weight}] ${described(settings)}`,
      inputs: [spread(x), spread(weight, -1, 1.2, 2), spread([channels(weight, group)], -1, 1, 3)],
      attributes: attributesOf(settings),
      wrt: [0, 1, 2],
    }
  }

const conv = convolution((weight) => weight[0]!)
const transposed = convolution((weight, group) => weight[1]! * group)

const pool = (dims: readonly number[], settings: Settings = {}, x: Tensor = spread(dims)): Case => ({
  name: `[${dims}] ${described(settings)}`,
  inputs: [x],
  attributes: attributesOf(settings),
  wrt: [0],
})

const pools: readonly Case[] = [
  pool([2, 2, 9], { kernel_shape: [2] }),
  pool([2, 3, 5, 5], { kernel_shape: [2, 2], strides: [1, 1] }),
  pool([1, 1, 5, 5], { kernel_shape: [3, 3], pads: [2, 2, 2, 2] }),
  pool([1, 2, 11, 8], { kernel_shape: [3, 2], strides: [3, 3] }),
  pool([2, 1, 3, 3, 3], { kernel_shape: [2, 2, 2] }),
  pool([1, 2, 8], { kernel_shape: [3], strides: [3], pads: [1, 0] }),
  pool([1, 1, 7, 6], { kernel_shape: [3, 3], strides: [2, 2], ceil_mode: 1 }),
  pool([1, 1, 9], { kernel_shape: [2], dilations: [3], strides: [2] }),
  pool([1, 1, 7], { kernel_shape: [3], strides: [2], auto_pad: "SAME_UPPER" }),
  pool([1, 1, 8], { kernel_shape: [3], strides: [2], auto_pad: "SAME_LOWER" }),
]

export const windowCases: Cases = {
  Conv: [
    { name: "no bias", inputs: [spread([2, 3, 7]), spread([4, 3, 3], -1, 1.2, 2)], wrt: [0, 1] },
    conv([2, 3, 7], [4, 3, 3]),
    conv([2, 3, 8], [4, 3, 3], { pads: [1, 2], strides: [2] }),
    conv([1, 2, 9], [3, 2, 3], { dilations: [2], pads: [2, 0] }),
    conv([2, 4, 8], [6, 2, 3], { group: 2, pads: [1, 1] }),
    conv([2, 3, 7], [3, 1, 3], { group: 3, strides: [3] }),
    conv([1, 2, 7], [4, 1, 4], { group: 2, pads: [2, 1] }),
    conv([2, 3, 5], [4, 3, 1]),
    conv([2, 3, 4], [2, 3, 4]),
    conv([1, 2, 10], [2, 2, 3], { strides: [3], dilations: [2], pads: [1, 2] }),
    conv([1, 2, 9], [2, 2, 3], { strides: [2], auto_pad: "SAME_UPPER" }),
    conv([1, 2, 8], [2, 2, 4], { auto_pad: "SAME_LOWER" }),
    conv([1, 2, 8], [2, 2, 3], { auto_pad: "VALID", strides: [2] }),
    conv([2, 1, 5, 5], [1, 1, 3, 3], { kernel_shape: [3, 3], pads: [1, 1, 1, 1] }),
    conv([2, 1, 7, 5], [1, 1, 3, 3], { pads: [1, 1, 1, 1], strides: [2, 2] }),
    conv([1, 4, 6, 7], [4, 2, 2, 3], { group: 2, strides: [2, 3], dilations: [1, 2], pads: [1, 0, 0, 2] }),
    conv([1, 3, 8, 8], [2, 3, 4, 4], { strides: [4, 4] }),
    conv([1, 2, 3, 4, 3], [2, 2, 2, 2, 2], { strides: [1, 2, 1] }),
  ],
  ConvTranspose: [
    transposed([2, 3, 5], [3, 2, 3]),
    transposed([1, 2, 4], [2, 3, 3], { strides: [2], pads: [1, 1] }),
    transposed([1, 2, 4], [2, 3, 3], { strides: [2], pads: [1, 0], output_padding: [1] }),
    transposed([2, 4, 3], [4, 2, 2], { group: 2, dilations: [2] }),
    transposed([1, 2, 3, 2], [2, 2, 2, 3], { strides: [2, 1], pads: [0, 1, 1, 1] }),
  ],
  AveragePool: [
    ...pools,
    pool([2, 3, 8], { kernel_shape: [2], strides: [2] }),
    pool([1, 3, 7, 8], { kernel_shape: [3, 2], strides: [3, 2], pads: [1, 0, 1, 0], count_include_pad: 1 }),
    pool([1, 2, 7, 7], { kernel_shape: [3, 3], strides: [3, 3], pads: [1, 1, 1, 1] }),
    pool([1, 1, 6, 6], {
      kernel_shape: [3, 3],
      strides: [2, 2],
      pads: [1, 1, 1, 1],
      ceil_mode: 1,
      count_include_pad: 1,
    }),
    pool([1, 2, 4, 4, 4], { kernel_shape: [3, 3, 3], strides: [3, 3, 3], pads: [1, 1, 1, 0, 0, 0] }),
  ],
  MaxPool: [...pools, pool([1, 1, 12, 12], { kernel_shape: [5, 5], strides: [3, 3] })],
  GlobalAveragePool: [pool([2, 3, 5, 5]), pool([2, 1, 3])],
  GlobalMaxPool: [pool([2, 3, 4, 5]), pool([2, 2, 6])],
}
