import type { Tensor } from "@tandem/onnx"

/** Fewer elements than this could be a circle's coordinates by chance. */
const fewest = 8

/**
 * Names of stored tensors that are cosines and sines of the same angles, times one factor: c² + s² is one number
 * everywhere, to rounding, and neither is constant.
 */
export const rotaryTables = (stored: ReadonlyMap<string, Tensor>): ReadonlySet<string> => {
  const byShape = new Map<string, (readonly [name: string, data: Float32Array])[]>()
  for (const [name, { type, dims, data }] of stored) {
    if (type !== "float32" || data.length < fewest || !(data instanceof Float32Array)) continue
    const key = dims.join()
    byShape.set(key, [...(byShape.get(key) ?? []), [name, data]])
  }
  const found = new Set<string>()
  for (const alike of byShape.values()) {
    for (const [index, [name, data]] of alike.entries()) {
      if (found.has(name)) continue
      const partner = alike.slice(index + 1).find(([, other]) => onOneCircle(data, other))
      if (partner !== undefined) found.add(name).add(partner[0])
    }
  }
  return found
}

const onOneCircle = (x: Float32Array, y: Float32Array): boolean => {
  const radius = x[0]! ** 2 + y[0]! ** 2
  if (!(radius > 0.01 && radius < 100)) return false
  let varies = false
  for (let i = 0; i < x.length; i++) {
    if (!(Math.abs(x[i]! ** 2 + y[i]! ** 2 - radius) <= 1e-4 * radius)) return false
    varies ||= Math.abs(x[i]! - x[0]!) > 1e-3 && Math.abs(y[i]! - y[0]!) > 1e-3
  }
  return varies
}
