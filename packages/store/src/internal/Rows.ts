import type { Passage } from "@tandem/datasets"
import { Effect } from "effect"
import type { Hit, PassageBatch } from "../KnowledgeStore.ts"
import { checkDimension, checkIdentity, checkRows } from "../StoreChecks.ts"
import type { StoreContents, StoreIdentity } from "../StoreContents.ts"
import { type AddError, PassageNotFoundError } from "../StoreError.ts"
import { innerProduct, inverseNorms, negativeSquaredDistance } from "./Scores.ts"

/** The first `count` rows at one moment. Rows are only ever appended, so a view stays as it is. */
export type RowsView = StoreContents & {
  readonly count: number
  /** `1 / |row|`, filled for cosine alone. */
  readonly inverseNorms: Float64Array
}

/** Passages, vectors and ids of one index: what every layer keeps in memory. Append only. */
export class Rows {
  readonly identity: StoreIdentity
  readonly #passages: Passage[] = []
  readonly #positions = new Map<string, number>()
  #vectors = new Float32Array(0)
  #inverseNorms = new Float64Array(0)

  constructor(identity: StoreIdentity) {
    this.identity = {
      dimension: identity.dimension,
      similarity: identity.similarity,
      fingerprint: identity.fingerprint,
    }
  }

  /** New rows out of contents, checked. */
  static from(contents: StoreContents): Effect.Effect<Rows, AddError> {
    return Effect.suspend(() => {
      const { identity, passages, vectors } = contents
      const rows = new Rows(identity)
      const error =
        checkDimension(identity.dimension) ?? rows.check({ passages, vectors, fingerprint: identity.fingerprint })
      if (error !== undefined) return Effect.fail(error)
      rows.append(passages, vectors)
      return Effect.succeed(rows)
    })
  }

  get count(): number {
    return this.#passages.length
  }

  /** What stands against appending a batch; changes nothing. */
  check({ fingerprint, passages, vectors }: PassageBatch): AddError | undefined {
    return (
      checkIdentity(this.identity, { fingerprint }, "what is added") ??
      checkRows(this.identity, passages, vectors, (id) => this.#positions.has(id))
    )
  }

  /** Appends a copy of checked rows. */
  append(passages: readonly Passage[], vectors: Float32Array): void {
    const { dimension, similarity } = this.identity
    const count = this.#passages.length
    const needed = (count + passages.length) * dimension
    if (needed > this.#vectors.length) {
      // Doubling keeps many small adds linear; the first add, and so a whole index that is opened, gets what it needs.
      const grown = new Float32Array(count === 0 ? needed : Math.max(needed, 2 * this.#vectors.length))
      grown.set(this.#vectors.subarray(0, count * dimension))
      this.#vectors = grown
    }
    this.#vectors.set(vectors, count * dimension)
    if (similarity === "cosine") {
      if (this.#inverseNorms.length < count + passages.length) {
        const grown = new Float64Array(Math.max(count + passages.length, 2 * this.#inverseNorms.length))
        grown.set(this.#inverseNorms)
        this.#inverseNorms = grown
      }
      this.#inverseNorms.set(inverseNorms(vectors, dimension, 0, passages.length), count)
    }
    for (const passage of passages) {
      this.#positions.set(passage.id, this.#passages.length)
      this.#passages.push(passage)
    }
  }

  view(): RowsView {
    const { identity } = this
    const count = this.#passages.length
    const vectors = this.#vectors.subarray(0, count * identity.dimension)
    return { identity, count, passages: this.#passages, vectors, inverseNorms: this.#inverseNorms }
  }

  contents(): StoreContents {
    const { identity, vectors } = this.view()
    return { identity, passages: this.#passages.slice(), vectors }
  }

  /** Passages in insertion order, those that are here when the iteration starts. */
  *scan(): Generator<Passage> {
    const count = this.#passages.length
    for (let i = 0; i < count; i++) yield this.#passages[i]!
  }

  get(ids: readonly string[]): Effect.Effect<readonly Passage[], PassageNotFoundError> {
    const found: Passage[] = []
    for (const id of ids) {
      const position = this.#positions.get(id)
      if (position === undefined)
        return Effect.fail(
          new PassageNotFoundError({
            message: `the store holds no passage ${JSON.stringify(id)}`,
            field: "id",
            expected: `one of ${this.count} passages`,
            found: id,
          }),
        )
      found.push(this.#passages[position]!)
    }
    return Effect.succeed(found)
  }
}

/** The score of one query against one row: what a search over all rows computes, to the last bit. */
export const scoreOf = (view: RowsView, query: Float64Array, queryInverseNorm: number, row: number): number => {
  const { dimension, similarity } = view.identity
  const offset = row * dimension
  if (similarity === "l2") return negativeSquaredDistance(query, 0, view.vectors, offset, dimension)
  const product = innerProduct(query, 0, view.vectors, offset, dimension)
  return similarity === "dot" ? product : product * queryInverseNorm * view.inverseNorms[row]!
}

/** The ranked rows with their passages and, where they are wanted, copies of their vectors. */
export const toHits = (
  { identity: { dimension }, passages, vectors }: RowsView,
  ranked: readonly { readonly index: number; readonly score: number }[],
  withVectors: boolean,
): readonly Hit[] =>
  ranked.map(({ index, score }) => {
    const hit = { passage: passages[index]!, score }
    return withVectors ? { ...hit, vector: vectors.slice(index * dimension, (index + 1) * dimension) } : hit
  })
