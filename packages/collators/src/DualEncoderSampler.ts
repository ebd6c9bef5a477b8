import { Random } from "@tandem/random"
import { InvalidBatch } from "./Errors.ts"

/** The order in which an epoch (0-based) visits `count` examples; it depends on seed and epoch alone. */
export const epochOrder = (count: number, seed: number | string, epoch: number): readonly number[] =>
  Random.fromSeed(seed)
    .derive("order", epoch)
    .shuffle([...Array(count).keys()])

/** Makes batches of texts of similar length out of a random order. */
export interface LengthGrouping {
  /** Length of each example, in tokens of its passages; one for each of `count`. */
  readonly lengths: ArrayLike<number>
  /** Batches' worth of examples that are sorted together (default 50); more pad less and mix less. */
  readonly window?: number
}

export interface SamplerOptions {
  readonly count: number
  readonly batchSize: number
  readonly seed: number | string
  /** Whether the examples that do not fill a last batch are left out of the epoch (default false). */
  readonly dropLast?: boolean
  /**
   * A last batch of fewer examples joins the one before it (default 1: none does). 2 where a query's only negatives are
   * the others' passages: alone in a batch it has nothing to learn from.
   */
  readonly smallestBatch?: number
  /**
   * Off where absent, because it changes which examples meet in a batch and so what the loss is: in-batch negatives
   * become passages of similar length. Saves padding.
   */
  readonly lengthGrouped?: LengthGrouping
}

export interface BatchPlace {
  /** Counted from 0. */
  readonly epoch: number
  /** Place of the batch in its epoch, from 0. */
  readonly batch: number
  /** The examples, by their place in the data. */
  readonly indices: readonly number[]
}

export interface DualEncoderSampler {
  readonly batchesPerEpoch: number
  /** The batch of a step counted from 0 over all epochs. Any step may be asked for at any time: it has no state. */
  readonly batchAt: (step: number) => BatchPlace
}

/**
 * The sequence of batches of a training run as a function of the step, so that a resumed run needs the step's number and
 * nothing else. Each epoch visits every example once, in an order of its own.
 *
 * @throws InvalidBatch for counts that are no positive whole numbers, fewer examples than a batch with `dropLast`, fewer
 * examples or smaller batches than the smallest, lengths that do not match, and by `batchAt` for a step that is no whole number of 0 or more
 *
 * @example
 * ```ts
 * import { dualEncoderSampler } from "@tandem/collators"
 *
 * const sampler = dualEncoderSampler({ count: 10, batchSize: 4, seed: 1 })
 * console.log(sampler.batchesPerEpoch, sampler.batchAt(2).indices.length, sampler.batchAt(3).epoch) // 3 2 1
 * ```
 */
export const dualEncoderSampler = (options: SamplerOptions): DualEncoderSampler => {
  const { count, batchSize, seed, dropLast = false, smallestBatch = 1, lengthGrouped } = options
  const used = dropLast ? count - (count % batchSize) : count
  checkOptions(options, used)
  const joins = used % batchSize > 0 && used % batchSize < smallestBatch
  const batchesPerEpoch = joins ? Math.floor(used / batchSize) : Math.ceil(used / batchSize)
  let latest: { readonly epoch: number; readonly order: readonly number[] } | undefined
  const orderOf = (epoch: number): readonly number[] => {
    if (latest?.epoch === epoch) return latest.order
    const plain = epochOrder(count, seed, epoch).slice(0, used)
    const order = lengthGrouped === undefined ? plain : grouped(plain, options, lengthGrouped, epoch)
    latest = { epoch, order }
    return order
  }
  return {
    batchesPerEpoch,
    batchAt: (step) => {
      if (!Number.isSafeInteger(step) || step < 0) {
        throw new InvalidBatch({ message: "there is no batch at such a step", field: "step", found: `${step}` })
      }
      const epoch = Math.floor(step / batchesPerEpoch)
      const batch = step % batchesPerEpoch
      const end = batch === batchesPerEpoch - 1 ? used : (batch + 1) * batchSize
      return { epoch, batch, indices: orderOf(epoch).slice(batch * batchSize, end) }
    },
  }
}

/**
 * Sorts windows of an order by length, cuts each into batches and shuffles these, so that lengths do not rise and fall
 * with the steps. An incomplete batch stays the last.
 */
const grouped = (
  order: readonly number[],
  { batchSize, seed }: SamplerOptions,
  { lengths, window = 50 }: LengthGrouping,
  epoch: number,
): readonly number[] => {
  const random = Random.fromSeed(seed).derive("windows", epoch)
  const size = window * batchSize
  const result: number[] = []
  for (let start = 0; start < order.length; start += size) {
    const sorted = order.slice(start, start + size).sort((a, b) => lengths[a]! - lengths[b]!)
    const whole = Math.floor(sorted.length / batchSize)
    for (const batch of random.shuffle([...Array(whole).keys()])) {
      result.push(...sorted.slice(batch * batchSize, (batch + 1) * batchSize))
    }
    result.push(...sorted.slice(whole * batchSize))
  }
  return result
}

const checkOptions = ({ count, batchSize, smallestBatch = 1, lengthGrouped }: SamplerOptions, used: number): void => {
  const window = lengthGrouped?.window ?? 1
  const whole = [count, batchSize, smallestBatch, window].every((size) => Number.isSafeInteger(size) && size > 0)
  const measured = lengthGrouped === undefined || lengthGrouped.lengths.length === count
  if (whole && measured && used > 0 && Math.min(used, batchSize) >= smallestBatch) return
  throw new InvalidBatch({
    message: "no sequence of batches can be made of this",
    expected: "positive whole numbers, a length for each example, and enough examples for one batch",
    found: JSON.stringify({ count, batchSize, smallestBatch, window, lengths: lengthGrouped?.lengths.length }),
  })
}
