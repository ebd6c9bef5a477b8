/**
 * The k best of many scored indexes: a bounded binary heap with the worst of them at its root. Of equal scores the
 * smaller index is better, whatever the order of arrival.
 */
export class TopK {
  readonly #scores: Float64Array
  readonly #indexes: Int32Array
  #size = 0

  constructor(k: number) {
    this.#scores = new Float64Array(k)
    this.#indexes = new Int32Array(k)
  }

  #worse(a: number, b: number): boolean {
    const left = this.#scores[a]!
    const right = this.#scores[b]!
    return left < right || (left === right && this.#indexes[a]! > this.#indexes[b]!)
  }

  #swap(a: number, b: number): void {
    const score = this.#scores[a]!
    const index = this.#indexes[a]!
    this.#scores[a] = this.#scores[b]!
    this.#indexes[a] = this.#indexes[b]!
    this.#scores[b] = score
    this.#indexes[b] = index
  }

  #siftDown(from: number): void {
    let parent = from
    for (;;) {
      const left = 2 * parent + 1
      if (left >= this.#size) return
      const right = left + 1
      const child = right < this.#size && this.#worse(right, left) ? right : left
      if (!this.#worse(child, parent)) return
      this.#swap(child, parent)
      parent = child
    }
  }

  /** Offers one candidate. */
  offer(score: number, index: number): void {
    if (this.#size < this.#scores.length) {
      let child = this.#size++
      this.#scores[child] = score
      this.#indexes[child] = index
      while (child > 0) {
        const parent = (child - 1) >> 1
        if (!this.#worse(child, parent)) return
        this.#swap(child, parent)
        child = parent
      }
      return
    }
    const worst = this.#scores[0]!
    if (score < worst || (score === worst && index > this.#indexes[0]!)) return
    this.#scores[0] = score
    this.#indexes[0] = index
    this.#siftDown(0)
  }

  /** Everything kept, best first; empties the heap. */
  drain(): { readonly index: number; readonly score: number }[] {
    const result: { readonly index: number; readonly score: number }[] = []
    while (this.#size > 0) {
      result.push({ index: this.#indexes[0]!, score: this.#scores[0]! })
      this.#size--
      this.#scores[0] = this.#scores[this.#size]!
      this.#indexes[0] = this.#indexes[this.#size]!
      this.#siftDown(0)
    }
    return result.reverse()
  }
}
