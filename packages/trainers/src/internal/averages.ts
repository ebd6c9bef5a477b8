/** Means of named numbers, each with what it counts for. */
export class Averages {
  readonly #sums = new Map<string, { total: number; count: number }>()

  add(name: string, value: number, count: number): void {
    const { total, count: before } = this.#sums.get(name) ?? { total: 0, count: 0 }
    // What counts for nothing may be no number.
    this.#sums.set(name, { total: count === 0 ? total : total + count * value, count: before + count })
  }

  /** The mean of each; 0 where nothing counted. */
  all(): Readonly<Record<string, number>> {
    return Object.fromEntries(
      [...this.#sums].map(([name, { total, count }]) => [name, count === 0 ? 0 : total / count]),
    )
  }
}
