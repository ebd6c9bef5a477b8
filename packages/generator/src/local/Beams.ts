import type { Decoding } from "../Generator.ts"
import { logProbabilities, penalize } from "./Processors.ts"

type BeamSettings = Extract<Decoding, { kind: "beam" }>

/** A text that has ended, with what it is ordered by. */
export interface Ended {
  readonly ids: readonly number[]
  readonly logprobs: readonly number[]
  readonly score: number
  /** Whether a token that ends texts ended it. */
  readonly byToken: boolean
}

/** A text that may go on. */
export interface Running {
  readonly ids: readonly number[]
  readonly logprobs: readonly number[]
  /** Log-likelihood of all of it. */
  readonly sum: number
  /** Which of the running texts before the last step it continues. */
  readonly parent: number
}

/** Beam search for one prompt. */
export interface BeamSearch {
  /** As many as there are beams. */
  readonly running: readonly Running[]
  /** At most as many, best first. */
  readonly ended: readonly Ended[]
  readonly done: boolean
}

export interface BeamOptions extends BeamSettings {
  readonly endTokenIds: readonly number[]
  readonly maxTokens: number
  readonly repetitionPenalty: number
  readonly prompt: readonly number[]
}

/** The search before its first step: one text, of which the first step makes others. */
export const beginBeams = ({ beams }: BeamOptions): BeamSearch => ({
  running: Array.from({ length: beams }, (_, index) => ({
    ids: [],
    logprobs: [],
    sum: index === 0 ? 0 : Number.NEGATIVE_INFINITY,
    parent: index,
  })),
  ended: [],
  done: false,
})

interface Candidate {
  readonly beam: number
  readonly id: number
  readonly sum: number
}

/**
 * One step, from the logits behind each running text. The candidates are the likeliest continuations of all beams, enough
 * of them that as many go on as there are beams. Of those among the first `beams` the ones that end join the ended texts,
 * scored by log-likelihood over length to the power of the penalty. Search is over where no running text's score, at its
 * present length, exceeds the worst of a full set of ended ones, with `earlyStopping` as soon as the set is full, or at
 * `maxTokens`. These are the rules of transformers' `generate` with `num_beams`.
 */
export const advanceBeams = (
  search: BeamSearch,
  logits: readonly Float32Array[],
  normalizers: readonly number[],
  options: BeamOptions,
): BeamSearch => {
  if (search.done) return search
  const { beams, lengthPenalty = 1, earlyStopping = false, endTokenIds, maxTokens, repetitionPenalty, prompt } = options
  const length = (search.running[0]?.ids.length ?? 0) + 1
  const wanted = Math.max(2, 1 + endTokenIds.length) * beams
  const before = search.running.map((_, beam) => logProbabilities(logits[beam]!, normalizers[beam]!))
  const candidates = search.running
    .flatMap(({ ids, sum }, beam): readonly Candidate[] => {
      if (sum === Number.NEGATIVE_INFINITY) return []
      const scores = penalize(before[beam]!, [...prompt, ...ids], repetitionPenalty)
      return topOf(scores, wanted).map((id) => ({ beam, id, sum: sum + scores[id]! }))
    })
    .sort((a, b) => b.sum - a.sum || a.beam - b.beam || a.id - b.id)
    .slice(0, wanted)
  const atEnd = length >= maxTokens
  const ends = ({ id }: Candidate): boolean => atEnd || endTokenIds.includes(id)
  const continued = ({ beam, id }: Candidate) => {
    const { ids, logprobs } = search.running[beam]!
    return { ids: [...ids, id], logprobs: [...logprobs, before[beam]![id]!] }
  }
  const newlyEnded = candidates.slice(0, beams).filter(ends)
  const ended = [
    ...search.ended,
    ...newlyEnded.map(
      (candidate): Ended => ({
        ...continued(candidate),
        score: candidate.sum / length ** lengthPenalty,
        byToken: endTokenIds.includes(candidate.id),
      }),
    ),
  ]
    .sort((a, b) => b.score - a.score)
    .slice(0, beams)
  const running = candidates
    .filter((candidate) => !ends(candidate))
    .slice(0, beams)
    .map((candidate) => ({ ...continued(candidate), sum: candidate.sum, parent: candidate.beam }))
  const full = ended.length === beams
  const best = (running[0]?.sum ?? Number.NEGATIVE_INFINITY) / length ** lengthPenalty
  const mayImprove = !full || best > ended.at(-1)!.score
  const done = atEnd || running.length === 0 || !mayImprove || (earlyStopping && full)
  return { running, ended, done }
}

/** The places of the largest values, largest first. */
const topOf = (values: Float32Array, count: number): readonly number[] => {
  const best: number[] = []
  for (let id = 0; id < values.length; id++) {
    const value = values[id]!
    if (best.length === count && value <= values[best[count - 1]!]!) continue
    let at = best.length
    while (at > 0 && values[best[at - 1]!]! < value) at--
    best.splice(at, 0, id)
    if (best.length > count) best.pop()
  }
  return best
}
