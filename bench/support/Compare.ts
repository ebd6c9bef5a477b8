// A comparison: both sides work in turn, A B A B …, and every round of ours has the peer's round beside it.
import { ourSide, peerSide, peersPython, type Round, type Side } from "./Side.ts"

export interface Comparison {
  /** bench/sides/NAME.ts and bench/peers/NAME.py */
  readonly name: string
  /** What both sides are given; every figure depends on it. */
  readonly settings: Readonly<Record<string, unknown>>
  readonly rounds: number
  /** How far the two sides' values may lie apart, relative to the larger. */
  readonly tolerance: number
  readonly log: (line: string) => void
}

export interface Spread {
  readonly median: number
  readonly min: number
  readonly max: number
}

export interface Compared {
  readonly rounds: readonly { readonly ours: number; readonly peer?: number }[]
  /** Peer's seconds over ours, pair by pair: above 1 where ours is faster. */
  readonly ratio?: Spread
  readonly ours: SideFigures
  readonly peer: SideFigures | "missing: npm run bench:peers"
  /** Largest relative difference of the values of a round. */
  readonly difference?: number
}

interface SideFigures {
  readonly seconds: Spread
  readonly secondsToFirst: number
  readonly peakMemoryMiB: number
  readonly versions: Readonly<Record<string, string>>
}

export const spread = (values: readonly number[]): Spread => {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = (sorted.length - 1) / 2
  return {
    median: (sorted[Math.floor(middle)]! + sorted[Math.ceil(middle)]!) / 2,
    min: sorted[0]!,
    max: sorted.at(-1)!,
  }
}

/** Runs a comparison; where the peers are not installed, our side alone. */
export const compare = async ({ name, settings, rounds, tolerance, log }: Comparison): Promise<Compared> => {
  const python = peersPython()
  const ours = await ourSide(name, settings)
  const peer = python === undefined ? undefined : await peerSide(python, name, settings)
  if (peer === undefined) log(`${name}: no peer (npm run bench:peers sets it up); ours alone`)
  const pairs: { ours: Round; peer: Round | undefined }[] = []
  try {
    for (let index = 0; index < rounds; index++) {
      const pair = { ours: await ours.round(), peer: await peer?.round() }
      pairs.push(pair)
      log(
        `${name} ${index + 1} of ${rounds}: ${pair.ours.seconds.toFixed(3)} s, peer ${pair.peer?.seconds.toFixed(3) ?? "missing"}`,
      )
    }
  } finally {
    ours.stop()
    peer?.stop()
  }
  const theirs = pairs.flatMap((pair) => pair.peer ?? [])
  const figures = (side: Side, list: readonly Round[]): SideFigures => ({
    seconds: spread(list.map((round) => round.seconds)),
    secondsToFirst: side.secondsToFirst,
    peakMemoryMiB: Math.round(Math.max(...list.map((round) => round.peakMemoryMiB))),
    versions: side.versions,
  })
  const own = figures(
    ours,
    pairs.map((pair) => pair.ours),
  )
  if (peer === undefined)
    return {
      rounds: pairs.map((pair) => ({ ours: pair.ours.seconds })),
      ours: own,
      peer: "missing: npm run bench:peers",
    }
  const difference = Math.max(...pairs.map((pair) => apart(pair.ours.values, pair.peer?.values ?? [])))
  if (!(difference <= tolerance)) {
    throw new Error(
      `${name}: the sides do not do the same work: their values differ by ${difference} (${tolerance} allowed)`,
    )
  }
  return {
    rounds: pairs.map((pair) => ({ ours: pair.ours.seconds, peer: pair.peer!.seconds })),
    ratio: spread(pairs.map((pair) => pair.peer!.seconds / pair.ours.seconds)),
    ours: own,
    peer: figures(peer, theirs),
    difference,
  }
}

const apart = (a: readonly number[], b: readonly number[]): number =>
  a.length !== b.length || a.length === 0
    ? Number.POSITIVE_INFINITY
    : Math.max(...a.map((value, i) => Math.abs(value - b[i]!) / Math.max(Math.abs(value), Math.abs(b[i]!), 1e-12)))
