import type { Tensor } from "@tandem/onnx"

/** A stored tensor that tells of positions, whatever reads it. */
export interface PositionTable {
  /** `angles` are sines and cosines, `distances` what is the same between any two positions that are equally far apart. */
  readonly kind: "angles" | "distances"
  readonly reason: string
}

/**
 * Tables that are made, not learnt, by name; told by their values, which numbers that were trained do not have:
 *
 * - cosines and sines of the same angles, times one factor, in two tensors of one shape or in one, half beside half or in
 *   turns: c² + s² is one number everywhere, to rounding; rows of zeros, as padding has them, left aside;
 * - square matrices of what depends on the distance of row and column alone: biases of ALiBi, causal masks, bands;
 * - rows that count up or down in equal steps: positions, and linear biases of one query.
 */
export const positionTables = (stored: ReadonlyMap<string, Tensor>): ReadonlyMap<string, PositionTable> => {
  const found = new Map<string, PositionTable>()
  const byShape = new Map<string, (readonly [name: string, data: Float32Array])[]>()
  for (const [name, { dims, data }] of stored) {
    const reason = reasonOf(dims, data)
    if (reason !== undefined) found.set(name, { kind: "distances", reason })
    else if (data instanceof Float32Array && data.length >= fewest) {
      if (holdsBoth(dims, data)) found.set(name, { kind: "angles", reason: "a table of sines and cosines" })
      else if (mayBeCoordinates(data)) {
        const alike = byShape.get(`${dims}`)
        if (alike === undefined) byShape.set(`${dims}`, [[name, data]])
        else alike.push([name, data])
      }
    }
  }
  for (const alike of byShape.values()) {
    if (alike.length > most) continue
    for (const [index, [name, x]] of alike.entries()) {
      if (found.has(name)) continue
      const partner = alike.find(
        ([, y], at) => at > index && onOneCircle({ pairs: x.length, x: (i) => x[i]!, y: (i) => y[i]! }),
      )
      for (const each of partner === undefined ? [] : [name, partner[0]])
        found.set(each, { kind: "angles", reason: "a table of rotary angles" })
    }
  }
  return found
}

/** More tables of one shape than any model has, two a layer; each is compared with all others. */
const most = 2000

/** Whether all elements are as small as coordinates of a circle that is looked for, and not all the same. */
const mayBeCoordinates = (x: Float32Array): boolean =>
  x.every((value) => Math.abs(value) < 10) && x.some((value) => Math.abs(value - x[0]!) > 1e-3)

/** Fewer elements than this could be so by chance. */
const fewest = 8

interface Points {
  readonly pairs: number
  readonly x: (pair: number) => number
  readonly y: (pair: number) => number
}

/** Whether rows of several pairs hold sines and cosines, half beside half or in turns. */
const holdsBoth = (dims: readonly number[], data: Float32Array): boolean => {
  const width = dims.at(-1) ?? 0
  if (dims.length < 2 || width % 2 === 1 || data.length / (dims[0] ?? 0) < 4) return false
  const half = width / 2
  const left = (pair: number): number => Math.floor(pair / half) * width + (pair % half)
  const pairs = data.length / 2
  return (
    onOneCircle({ pairs, x: (pair) => data[left(pair)]!, y: (pair) => data[left(pair) + half]! }) ||
    onOneCircle({ pairs, x: (pair) => data[2 * pair]!, y: (pair) => data[2 * pair + 1]! })
  )
}

/** Whether all points but those at the origin have one distance from it; signs and unit vectors have too few values to tell. */
const onOneCircle = ({ pairs, x, y }: Points): boolean => {
  let radius: number | undefined
  const magnitudes: number[] = []
  for (let i = 0; i < pairs; i++) {
    const [a, b] = [x(i), y(i)]
    if (a === 0 && b === 0) continue
    radius ??= a * a + b * b
    if (!(radius > 0.01 && radius < 100 && Math.abs(a * a + b * b - radius) <= 1e-4 * radius)) return false
    if (magnitudes.length < 3 && magnitudes.every((other) => Math.abs(Math.abs(a) - other) > 1e-3))
      magnitudes.push(Math.abs(a))
  }
  return magnitudes.length === 3
}

const reasonOf = (dims: readonly number[], data: Tensor["data"]): string | undefined => {
  if (!(data instanceof Float32Array || data instanceof BigInt64Array || data instanceof Int32Array)) return undefined
  const width = dims.at(-1) ?? 0
  if (data.length < fewest || width < 3) return undefined
  const at = (place: number): number => Number(data[place])
  if (dims.length >= 2 && dims.at(-2) === width && followsDistance(width, data.length, at))
    return "a table of distances"
  return width >= fewest && counts(width, data.length, at) ? "a table of positions" : undefined
}

/** Whether all matrices have equal elements along each diagonal, and several that are not zero. */
const followsDistance = (width: number, length: number, at: (place: number) => number): boolean => {
  let [varies, beside] = [false, false]
  for (let place = 0; place < length; place++) {
    const [row, column] = [Math.floor(place / width) % width, place % width]
    if (row > 0 && column > 0 && at(place) !== at(place - width - 1)) return false
    varies ||= at(place) !== at(0)
    beside ||= row !== column && at(place) !== 0
  }
  return varies && beside
}

/** Whether every row goes up or down in steps that are equal to rounding. */
const counts = (width: number, length: number, at: (place: number) => number): boolean => {
  for (let start = 0; start < length; start += width) {
    const step = (at(start + width - 1) - at(start)) / (width - 1)
    const rounding = 1e-6 * Math.max(Math.abs(at(start)), Math.abs(at(start + width - 1)))
    if (step === 0 || !Number.isFinite(step)) return false
    for (let i = 1; i < width; i++) if (!(Math.abs(at(start + i) - at(start) - step * i) <= rounding)) return false
  }
  return true
}
