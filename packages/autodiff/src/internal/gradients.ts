import { type Graph, type GraphBuilder, staticDims, type Value } from "@tandem/onnx"
import { Disconnected, NotDifferentiable } from "../Errors.ts"
import type { Contribution, RowGradient, Shaped } from "../Rule.ts"
import { broadcastsTo, sameDims, sumTo } from "./shapes.ts"

/** A value with the static shape that gradients need. */
export const shaped = (graph: Graph, value: Value | undefined, name: string): Shaped => {
  const dims = staticDims(value?.dims)
  if (value === undefined || dims === undefined) {
    throw new NotDifferentiable({
      message: `the shape of ${name} in graph ${graph.name} is not known`,
      tensor: name,
      expected: "static dimensions",
      found: `${value?.dims ?? "nothing"}`,
      hint: "build the graph with static shapes, or specialize it",
    })
  }
  return { ...value, dims }
}

/** Sums of the contributions that have reached each value so far. */
export class Gradients {
  readonly #g: GraphBuilder
  readonly #sums = new Map<string, Shaped>()
  readonly #rows = new Map<string, RowGradient[]>()

  /** Look-ups in the tables of `byRows` are kept apart, row by row. */
  constructor(g: GraphBuilder, byRows: readonly string[] = []) {
    this.#g = g
    for (const name of byRows) this.#rows.set(name, [])
  }

  /** What reached a table by rows: row numbers `[count] int32` and updates `[count, …]`. */
  rows(name: string): { readonly rows: Value; readonly updates: Value } | undefined {
    const parts = this.#rows.get(name) ?? []
    if (parts.length === 0) return undefined
    const rows = this.#g.concat(
      parts.map((part) => part.rows),
      0,
    )
    return {
      rows: this.#g.cast(this.#g.reshape(rows, [-1]), "int32"),
      updates: this.#g.concat(
        parts.map((part) => part.updates),
        0,
      ),
    }
  }

  has(name: string): boolean {
    return this.#sums.has(name)
  }

  add(name: string, target: Shaped, contribution: Contribution): void {
    const kept = this.#rows.get(name)
    if (kept !== undefined && "updates" in contribution) {
      kept.push(contribution)
      return
    }
    const before = this.#sums.get(name)
    const alone = typeof contribution === "function" ? contribution(before) : contribution
    const fitted = this.#fit(name, target, alone)
    const sum = before === undefined || typeof contribution === "function" ? fitted : this.#g.add(before, fitted)
    this.#sums.set(name, { ...sum, dims: target.dims })
  }

  total(name: string): Value {
    return this.totalShaped(name)
  }

  totalShaped(name: string): Shaped {
    const sum = this.#sums.get(name)
    if (sum === undefined) {
      throw new Disconnected({ message: `no gradient reached ${name}`, tensor: name })
    }
    return sum
  }

  /** Sums over broadcast axes and checks that type and shape are those of the value. */
  #fit(name: string, target: Shaped, value: Value): Value {
    const dims = staticDims(value.dims)
    const fits = dims !== undefined && broadcastsTo(target.dims, dims)
    const fitted = fits ? sumTo(this.#g, value, dims, target.dims) : value
    const found = staticDims(fitted.dims)
    if (found === undefined || !sameDims(found, target.dims) || fitted.type !== target.type) {
      throw new NotDifferentiable({
        message: `the gradient by ${name} has another type or shape than the value`,
        tensor: name,
        expected: `${target.type}[${target.dims}]`,
        found: `${fitted.type}[${fitted.dims ?? "?"}]`,
      })
    }
    return fitted
  }
}
