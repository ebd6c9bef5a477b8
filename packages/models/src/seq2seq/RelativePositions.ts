import { int32, int64, type Tensor } from "@tandem/onnx"

/** How distances fall into buckets, as T5 does it. */
export interface Buckets {
  readonly buckets: number
  readonly maxDistance: number
  /** Whether keys behind the query have buckets of their own (encoders); otherwise they share the query's. */
  readonly bidirectional: boolean
}

/**
 * The bucket of each distance from −`reach` to `reach`, distance being the key's position less the query's: half of the
 * buckets of a direction are for one distance each, the others for ranges that grow in proportion up to `maxDistance`.
 * Computed in 32 bits, as PyTorch does it, so that borders fall alike.
 */
export const distanceBuckets = ({ buckets, maxDistance, bidirectional }: Buckets, reach: number): Int32Array => {
  const own = bidirectional ? buckets / 2 : buckets
  const exact = Math.floor(own / 2)
  const spread = Math.fround(Math.log(maxDistance / exact))
  const bucketOf = (distance: number): number => {
    const behind = bidirectional ? Math.abs(distance) : Math.max(-distance, 0)
    const first = bidirectional && distance > 0 ? own : 0
    if (behind < exact) return first + behind
    const logarithm = Math.fround(Math.log(Math.fround(behind / exact)))
    const share = Math.fround(Math.fround(logarithm / spread) * (own - exact))
    return first + Math.min(exact + Math.trunc(share), own - 1)
  }
  return Int32Array.from({ length: 2 * reach + 1 }, (_, index) => bucketOf(index - reach))
}

/** The bucket of each pair of positions `[queries, keys]`, both counted from 0. */
export const pairBuckets = (settings: Buckets, queries: number, keys: number): Tensor => {
  const reach = Math.max(queries, keys)
  const byDistance = distanceBuckets(settings, reach)
  const pairs = Array.from({ length: queries * keys }, (_, index) => {
    const [query, key] = [Math.floor(index / keys), index % keys]
    return byDistance[key - query + reach]!
  })
  return int32([queries, keys], pairs)
}

/** The bucket of each distance as a table, and the distance that its middle stands for; beyond its ends nothing changes. */
export const bucketTable = (settings: Buckets): { readonly table: Tensor; readonly reach: number } => {
  const reach = settings.maxDistance
  const table = distanceBuckets(settings, reach)
  return { table: int64([table.length], Array.from(table)), reach }
}
