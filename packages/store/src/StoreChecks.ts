import type { Passage } from "@tandem/datasets"
import type { SearchRequest } from "./KnowledgeStore.ts"
import type { StoreIdentity } from "./StoreContents.ts"
import { DuplicateIdError, InvalidRequestError, InvalidVectorError, StoreMismatchError } from "./StoreError.ts"

// What every store refuses, for those who write one. Each check returns the error, or nothing.

const mismatch = (field: keyof StoreIdentity, what: string, expected: string, found: string, hint: string) =>
  new StoreMismatchError({
    message: `the ${field} of ${what} is ${found}, that of the store ${expected}`,
    field,
    expected,
    found,
    hint,
  })

const hints: { readonly [field in keyof StoreIdentity]: string } = {
  dimension: "use the encoder that made the index, or index the corpus again",
  similarity: "open the store with the similarity that it was made for, or index the corpus again",
  fingerprint: "the vectors come from another encoder or other weights: index the corpus again",
}

/** Compares what is given of two identities. */
export const checkIdentity = (
  expected: Partial<StoreIdentity>,
  found: Partial<StoreIdentity>,
  what: string,
): StoreMismatchError | undefined => {
  for (const field of ["dimension", "similarity", "fingerprint"] as const) {
    const wanted = expected[field]
    const given = found[field]
    if (wanted !== undefined && given !== undefined && wanted !== given)
      return mismatch(field, what, String(wanted), String(given), hints[field])
  }
  return undefined
}

/** A store needs a dimension of at least 1. */
export const checkDimension = (dimension: number): InvalidRequestError | undefined =>
  Number.isInteger(dimension) && dimension > 0
    ? undefined
    : new InvalidRequestError({
        message: `a store cannot hold vectors of dimension ${dimension}`,
        field: "dimension",
        expected: "a positive integer",
        found: String(dimension),
      })

const notFinite = (vectors: Float32Array): number => {
  // A sum is NaN or infinite where a term is, and in double precision finite terms cannot
  // overflow; so only a bad sum is worth a second look.
  let sum = 0
  for (let i = 0; i < vectors.length; i++) sum += vectors[i]!
  return Number.isFinite(sum) ? -1 : vectors.findIndex((value) => !Number.isFinite(value))
}

const zeroRow = (vectors: Float32Array, dimension: number): number => {
  for (let start = 0; start < vectors.length; start += dimension) {
    let i = start
    while (i < start + dimension && vectors[i] === 0) i++
    if (i === start + dimension) return start / dimension
  }
  return -1
}

/** Everything that must hold before rows are appended. `known` tells which ids are in the store already. */
export const checkRows = (
  identity: StoreIdentity,
  passages: readonly Passage[],
  vectors: Float32Array,
  known: (id: string) => boolean,
): StoreMismatchError | InvalidRequestError | DuplicateIdError | InvalidVectorError | undefined => {
  const { dimension, similarity } = identity
  if (vectors.length !== passages.length * dimension) {
    const perPassage = vectors.length / passages.length
    return Number.isInteger(perPassage)
      ? mismatch("dimension", "the vectors", String(dimension), String(perPassage), hints.dimension)
      : new InvalidRequestError({
          message: "the array of vectors does not fit the number of passages",
          field: "vectors",
          expected: `${passages.length} × ${dimension} numbers`,
          found: `${vectors.length} numbers`,
        })
  }
  const seen = new Set<string>()
  for (const { id } of passages) {
    if (seen.has(id) || known(id))
      return new DuplicateIdError({
        message: `passage ${JSON.stringify(id)} ${seen.has(id) ? "stands twice in what is added" : "is in the store already"}`,
        field: "id",
        found: id,
      })
    seen.add(id)
  }
  const bad = notFinite(vectors)
  if (bad >= 0)
    return new InvalidVectorError({
      message: `the vector of passage ${JSON.stringify(passages[Math.floor(bad / dimension)]?.id)} holds ${vectors[bad]} at ${bad % dimension}`,
      field: "vectors",
      expected: "finite numbers",
      found: String(vectors[bad]),
      hint: "the encoder has diverged or its input was empty",
    })
  const zero = similarity === "cosine" ? zeroRow(vectors, dimension) : -1
  if (zero >= 0)
    return new InvalidVectorError({
      message: `the vector of passage ${JSON.stringify(passages[zero]?.id)} is all zeros, which has no cosine`,
      field: "vectors",
      expected: "a vector of positive length",
      found: "zeros",
    })
  return undefined
}

/** Everything that must hold before a search. */
export const checkSearch = (
  identity: StoreIdentity,
  request: SearchRequest,
): StoreMismatchError | InvalidRequestError | undefined => {
  const { dimension, similarity } = identity
  const { vectors, k, fingerprint } = request
  const invalid = (message: string, field: string, expected: string, found: string) =>
    new InvalidRequestError({ message, field, expected, found })
  if (!Number.isInteger(k) || k < 1)
    return invalid(`a search for ${k} passages is none`, "k", "a positive integer", String(k))
  if (vectors.length % dimension !== 0)
    return new StoreMismatchError({
      message: `the query vectors are ${vectors.length} numbers, not a multiple of the store's dimension ${dimension}`,
      field: "dimension",
      expected: `a multiple of ${dimension} numbers`,
      found: `${vectors.length} numbers`,
      hint: hints.dimension,
    })
  const bad = notFinite(vectors)
  if (bad >= 0)
    return invalid(
      `query vector ${Math.floor(bad / dimension)} holds ${vectors[bad]} at ${bad % dimension}`,
      "vectors",
      "finite numbers",
      String(vectors[bad]),
    )
  const zero = similarity === "cosine" ? zeroRow(vectors, dimension) : -1
  if (zero >= 0) return invalid(`query vector ${zero} is all zeros`, "vectors", "a vector of positive length", "zeros")
  return fingerprint === undefined
    ? undefined
    : checkIdentity({ fingerprint: identity.fingerprint }, { fingerprint }, "the queries")
}
