import type { Value } from "../Graph.ts"
import { type ElementType, float32, int64 } from "../Tensor.ts"
import { type Composite, lowest } from "./Composite.ts"

/** A length that is known, or a rank-0 `int64` value that holds it when the graph runs. */
export type Length = number | Value

/** Size of one axis. */
export const lengthOf = (call: Composite, value: Value, axis: number): Length => {
  const dim = call.dim(value, axis)
  if (typeof dim === "number") return dim
  const shape = call.g.op("Shape", [value])[0]!
  return call.g.gather(shape, call.g.constant(int64([], [axis])))
}

/** The length as a rank-0 `int64` value. */
export const asValue = (call: Composite, length: Length): Value =>
  typeof length === "number" ? call.g.constant(int64([], [length])) : length

export const plus = (call: Composite, a: Length, b: Length): Length =>
  typeof a === "number" && typeof b === "number" ? a + b : call.g.add(asValue(call, a), asValue(call, b))

export const minus = (call: Composite, a: Length, b: Length): Length =>
  typeof a === "number" && typeof b === "number" ? a - b : call.g.sub(asValue(call, a), asValue(call, b))

/** `start, start + 1, …`, `length` numbers `[length] int64`. */
export const countFrom = (call: Composite, start: Length, length: Length): Value => {
  if (typeof start === "number" && typeof length === "number") {
    const make = () =>
      int64(
        [length],
        Array.from({ length }, (_, index) => start + index),
      )
    return call.shared(`count ${start} ${length}`, make)
  }
  const end = asValue(call, plus(call, start, length))
  return call.g.op("Range", [asValue(call, start), end, asValue(call, 1)])[0]!
}

/** Which keys a query may see by where it stands. */
export interface Causality {
  readonly queries: Length
  readonly keys: Length
  /** Number of keys before that of the first query. */
  readonly past: Length
  /** Number of keys that a query sees, its own included; all where absent. */
  readonly window?: number
  /** What a key that is not to be seen adds to its score; the type's lowest where absent. */
  readonly filter?: number
}

/** `[queries, keys]`: 0 where query i may see key j (j ≤ i + past, and not beyond the window), else `filter`. */
export const causalMask = (call: Composite, type: ElementType | undefined, causality: Causality): Value => {
  const { queries, keys, past, window = 0 } = causality
  const filter = causality.filter ?? lowest(type)
  if (typeof queries === "number" && typeof keys === "number" && typeof past === "number" && type === "float32") {
    return call.shared(`causal ${queries} ${keys} ${past} ${window} ${filter}`, () => {
      const data = new Float32Array(queries * keys)
      for (let i = 0; i < queries; i++) {
        for (let j = 0; j < keys; j++) {
          const seen = j <= i + past && (window <= 0 || j > i + past - window)
          data[i * keys + j] = seen ? 0 : filter
        }
      }
      return float32([queries, keys], data)
    })
  }
  const { g } = call
  const rows = g.unsqueeze(countFrom(call, past, queries), [1])
  const columns = g.unsqueeze(countFrom(call, 0, keys), [0])
  const before = g.lessOrEqual(columns, rows)
  const near = window <= 0 ? undefined : g.greater(columns, g.sub(rows, g.constant(int64([], [window]))))
  return additive(call, near === undefined ? before : g.op("And", [before, near])[0]!, type, filter)
}

/** 0 where a truth value holds, else `filter`. */
export const additive = (call: Composite, seen: Value, type: ElementType | undefined, filter = lowest(type)): Value => {
  const like = { name: "", type, dims: undefined }
  return call.g.where(seen, call.scalar(0, like), call.scalar(filter, like))
}
