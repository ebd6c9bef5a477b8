import { float32, int64, string } from "@tandem/onnx"
import { type Case, type Cases, int, ints, spread } from "./Values.ts"

type Settings = Readonly<Record<string, string | number | readonly number[]>>

const resized = (
  dims: readonly number[],
  to: { readonly scales: readonly number[] } | { readonly sizes: readonly number[] },
  settings: Settings = {},
): Case => ({
  name: `[${dims}] ${JSON.stringify({ ...to, ...settings })}`,
  inputs:
    "scales" in to
      ? [spread(dims), undefined, float32([to.scales.length], to.scales)]
      : [spread(dims), undefined, undefined, int64([to.sizes.length], to.sizes)],
  attributes: Object.fromEntries(
    Object.entries(settings).map(([name, value]) => [
      name,
      typeof value === "string" ? string(value) : typeof value === "number" ? int(value) : ints(...value),
    ]),
  ),
  wrt: [0],
})

const linear = { mode: "linear" }
const cubic = { mode: "cubic" }
const coordinates = (name: string) => ({ coordinate_transformation_mode: name })

export const resizingCases: Cases = {
  Resize: [
    resized([1, 2, 3, 4], { scales: [1, 1, 2, 2] }),
    resized([2, 1, 5, 4], { sizes: [2, 1, 3, 7] }, coordinates("asymmetric")),
    resized([1, 2, 4, 4], { scales: [1, 1, 1.6, 0.6] }, { ...linear, ...coordinates("pytorch_half_pixel") }),
    resized([1, 2, 3, 5], { sizes: [1, 2, 6, 4] }, { ...linear, ...coordinates("align_corners") }),
    resized([4, 5], { sizes: [7, 3] }, linear),
    resized([1, 1, 6, 4], { sizes: [1, 1, 3, 2] }, { ...linear, antialias: 1 }),
    resized([1, 2, 4, 4], { sizes: [1, 2, 7, 5] }, { ...cubic, ...coordinates("half_pixel") }),
    resized([1, 2, 4, 4], { scales: [1, 1, 1.5, 2] }, { ...cubic, ...coordinates("pytorch_half_pixel") }),
    resized([1, 2, 4, 5], { sizes: [6, 3] }, { ...cubic, axes: [2, 3], exclude_outside: 1 }),
  ],
}
