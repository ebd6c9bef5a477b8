// A comparison: the sides work in turn, A B A B …, and every round of ours has the peer's round beside it.
import { setTimeout } from "node:timers/promises"
import { withFolder } from "./Folder.ts"
import { type Environment, peersPython } from "./Peers.ts"
import { flopsOf, type Product } from "./Products.ts"
import { type Profile, readProfile } from "./Profile.ts"
import { ourSide, peerSide, type Round, type Side } from "./Side.ts"
import { wallClock } from "./SideRuntime.ts"
import { type Spread, spread } from "./Spread.ts"

export interface Comparison {
  /** bench/sides/NAME.ts and bench/peers/NAME.py */
  readonly name: string
  /** What all sides are given; every figure depends on it. */
  readonly settings: Readonly<Record<string, unknown>>
  readonly rounds: number
  /** How far the two sides' values may lie apart, relative to the largest; not compared where undefined. */
  readonly tolerance: number | undefined
  /** What has to be reached; see `Targets`. */
  readonly targets?: Targets
  /**
   * Which Python environment the peer needs (`torch` where absent), that there is none to compare with, or another of our
   * sides that stands in its place: bench/sides/SIDE.ts.
   */
  readonly peer?: Environment | "none" | { readonly side: string }
  /** How many units of work a round has, where our side runs graphs, to be profiled after the rounds. */
  readonly profiled?: number
  readonly log: (line: string) => void
}

/** What a comparison has to reach. */
export interface Targets {
  /** Our speed over the peer's. */
  readonly speed?: number
  /** Our peak of memory over the peer's. */
  readonly memory?: number
  /** The products' share of the step. */
  readonly share?: number
}

/** What a comparison found. Times are seconds of one unit of work. */
export interface Compared {
  readonly rounds: readonly { readonly ours: number; readonly peer?: number; readonly products?: number }[]
  /** Peer's seconds over ours, pair by pair: above 1 where ours is faster. */
  readonly ratio?: Spread
  readonly ours: SideFigures
  /** Or why there are no figures. */
  readonly peer: SideFigures | string
  /** Our peak of memory over the peer's: below 1 where ours is smaller. */
  readonly memory?: number
  /** Largest difference of the values of a round, relative to the largest of them. */
  readonly difference?: number
  /** How near the step is to its matrix products alone. */
  readonly limit?: Limit
  /** Where our time goes, found in a process of its own after the rounds. */
  readonly profile?: Profile
  readonly targets?: Targets
}

export interface SideFigures {
  readonly seconds: Spread
  readonly peakMemoryMiB: number
  readonly versions: Readonly<Record<string, string>>
  readonly notes?: Readonly<Record<string, number>>
}

export interface Limit {
  /** The products' time over our step's, round by round. */
  readonly share: Spread
  /** Of all products of one unit of work, each alone in its fastest form. */
  readonly seconds: Spread
  /** Operations of all of them. */
  readonly gigaflop: number
  /** The fastest rate that any product reached on this machine. */
  readonly peakGigaflopsPerSecond: number
  /** Form: T where the left or the right operand is transposed in memory. */
  readonly products: readonly (Product & { form: string; milliseconds: number; gigaflopsPerSecond: number })[]
}

/** What is said in place of figures. */
export const missingPeer = "missing: npm run bench:peers"

/** Threads spin for a while after their work; nobody's turn begins meanwhile. */
const restMilliseconds = 100

export interface Turn {
  readonly ours: Round
  readonly peer: Round | undefined
  readonly products: Round | undefined
}

/** Runs a comparison; where the peers are not installed, our side alone. */
export const compare = async (comparison: Comparison): Promise<Compared> => {
  const { name, settings, rounds, log } = comparison
  const environment = comparison.peer ?? "torch"
  const python = environment === "none" || typeof environment === "object" ? undefined : peersPython(environment)
  const peerOf = (): Promise<Side | undefined> => {
    if (typeof environment === "object") return ourSide(environment.side, settings)
    return python === undefined ? Promise.resolve(undefined) : peerSide(python, name, settings)
  }
  if (python === undefined && environment !== "none" && typeof environment !== "object")
    log(`${name}: no peer (npm run bench:peers sets it up); ours alone`)
  const started: Side[] = []
  const begin = async <A extends Side | undefined>(side: Promise<A>): Promise<A> => {
    const found = await side
    if (found !== undefined) started.push(found)
    return found
  }
  const measure = async (): Promise<Compared> => {
    const turns: Turn[] = []
    // Both prepare at once; nothing is timed yet.
    const both = [begin(ourSide(name, settings)), begin(peerOf())] as const
    await Promise.allSettled(both)
    const [ours, peer] = await Promise.all(both)
    const { products } = ours
    const alone = products && (await begin(ourSide("products", { products, threads: settings["threads"] })))
    const turn = async (side: Side | undefined): Promise<Round | undefined> => {
      if (side === undefined) return undefined
      await setTimeout(restMilliseconds)
      return side.round()
    }
    for (let index = 0; index < rounds; index++) {
      await setTimeout(restMilliseconds)
      const products = index < productRounds || environment === "none" ? alone : undefined
      const found = { ours: await ours.round(), peer: await turn(peer), products: await turn(products) }
      turns.push(found)
      log(`${name} ${index + 1} of ${rounds}: ${described(found)}`)
    }
    return figuresOf(comparison, { ours, peer, alone }, turns)
  }
  const stop = () => Promise.all(started.map((side) => side.stop()))
  const found = await measure().finally(stop)
  const goals = goalsOf(found)
  // Where time goes says nothing of memory.
  const wanted = goals.length === 0 || goals.some(({ of, reached }) => of !== "memory" && !reached)
  return comparison.profiled === undefined || !wanted
    ? found
    : { ...found, profile: await profileOf(comparison, comparison.profiled) }
}

/** Rounds in which the products are timed beside two sides: alone, they vary less than a whole step does. */
const productRounds = 3

/** Rounds are profiled until they took so many seconds. */
const profiledSeconds = 2

/** Our side once more, under the profiler. */
const profileOf = ({ name, settings, rounds }: Comparison, unitsOfRound: number): Promise<Profile> =>
  withFolder(async (folder) => {
    const side = await ourSide(name, { ...settings, profile: folder })
    const since = wallClock()
    let [seconds, units] = [0, 0]
    for (let round = 0; round < rounds && seconds < profiledSeconds; round++) {
      const each = await side.round()
      seconds += each.seconds * unitsOfRound
      units += unitsOfRound
    }
    await side.stop()
    return readProfile(folder, { seconds, units, since })
  })

const described = ({ ours, peer, products }: Turn): string =>
  [
    `${ours.seconds.toFixed(3)} s`,
    ...(peer === undefined ? [] : [`peer ${peer.seconds.toFixed(3)} s`]),
    ...(products === undefined ? [] : [`products ${products.seconds.toFixed(3)} s`]),
  ].join(", ")

export const figuresOf = (
  { name, tolerance, peer: environment, targets }: Pick<Comparison, "name" | "tolerance" | "peer" | "targets">,
  { ours, peer, alone }: { ours: Side; peer: Side | undefined; alone: Side | undefined },
  turns: readonly Turn[],
): Compared => {
  const own = sideFigures(
    ours,
    turns.map((turn) => turn.ours),
  )
  const rest = {
    ...(alone?.products === undefined ? {} : { limit: limitOf(alone.products, turns) }),
    ...(targets === undefined ? {} : { targets }),
  }
  const rounds = turns.map((turn) => ({
    ours: turn.ours.seconds,
    ...(turn.peer === undefined ? {} : { peer: turn.peer.seconds }),
    ...(turn.products === undefined ? {} : { products: turn.products.seconds }),
  }))
  const pairs = turns.flatMap((turn) => (turn.peer === undefined ? [] : [{ ours: turn.ours, peer: turn.peer }]))
  if (peer === undefined) return { rounds, ours: own, peer: environment === "none" ? "none" : missingPeer, ...rest }
  const theirs = sideFigures(
    peer,
    pairs.map((pair) => pair.peer),
  )
  const difference = Math.max(...pairs.map((pair) => apart(pair.ours.values, pair.peer.values)))
  if (tolerance !== undefined && !(difference <= tolerance)) {
    throw new Error(
      `${name}: the sides do not do the same work: their values differ by ${difference} (${tolerance} allowed)`,
    )
  }
  return {
    rounds,
    ratio: spread(pairs.map((pair) => pair.peer.seconds / pair.ours.seconds)),
    ours: own,
    peer: theirs,
    memory: own.peakMemoryMiB / theirs.peakMemoryMiB,
    ...(tolerance === undefined ? {} : { difference }),
    ...rest,
  }
}

/** A target, and what was found of it. */
export interface Goal {
  readonly of: keyof Targets
  readonly goal: number
  readonly found: number
  readonly reached: boolean
}

/** The targets of a comparison that could be measured. */
export const goalsOf = ({ ratio, memory, limit, targets = {} }: Compared): readonly Goal[] => {
  const goals = [
    { of: "speed", goal: targets.speed, found: ratio?.median },
    { of: "memory", goal: targets.memory, found: memory },
    { of: "share", goal: targets.share, found: limit?.share.median },
  ] as const
  return goals.flatMap(({ of, goal, found }) =>
    goal === undefined || found === undefined
      ? []
      : [{ of, goal, found, reached: of === "memory" ? found <= goal : found >= goal }],
  )
}

const sentences: Readonly<Record<keyof Targets, (goal: number) => string>> = {
  speed: (goal) => `at least ${goal} times the peer's speed`,
  memory: (goal) => `at most ${goal} times the peer's memory`,
  share: (goal) => `the products alone take at least ${goal} of the step`,
}

/** Which targets were reached, by a sentence for each. */
export const verdicts = (figures: Readonly<Record<string, Compared>>): Record<string, boolean> =>
  Object.fromEntries(
    Object.entries(figures).flatMap(([name, compared]) =>
      goalsOf(compared).map(({ of, goal, reached }) => [`${name}: ${sentences[of](goal)}`, reached]),
    ),
  )

const sideFigures = ({ versions, notes }: Side, rounds: readonly Round[]): SideFigures => ({
  seconds: spread(rounds.map((round) => round.seconds)),
  peakMemoryMiB: Math.round(Math.max(...rounds.map((round) => round.peakMemoryMiB))),
  versions,
  ...(notes === undefined ? {} : { notes }),
})

/** The products side times one product more than the step has: a square one, to find the peak. */
const limitOf = (products: readonly (Product & { readonly form?: string })[], turns: readonly Turn[]): Limit => {
  const timed = turns.flatMap(({ ours, products: alone }) => (alone === undefined ? [] : [{ ours, alone }]))
  const measured = products.map((product, index) => {
    const seconds = spread(timed.map(({ alone }) => alone.values[index] ?? Number.NaN)).median
    const gigaflopsPerSecond = flopsOf(product) / seconds / 1e9
    return { ...product, form: product.form ?? "NN", milliseconds: seconds * 1000, gigaflopsPerSecond }
  })
  return {
    share: spread(timed.map(({ ours, alone }) => alone.seconds / ours.seconds)),
    seconds: spread(timed.map(({ alone }) => alone.seconds)),
    gigaflop: products.reduce((sum, product) => sum + product.count * flopsOf(product), 0) / 1e9,
    peakGigaflopsPerSecond: Math.max(...measured.map((product) => product.gigaflopsPerSecond)),
    products: measured.filter((product) => product.count > 0),
  }
}

/** The largest difference of two lists of numbers, relative to the largest of the numbers. */
const apart = (a: readonly number[], b: readonly number[]): number => {
  if (a.length !== b.length || a.length === 0) return Number.POSITIVE_INFINITY
  const largest = Math.max(...a.map(Math.abs), ...b.map(Math.abs), 1e-12)
  return Math.max(...a.map((value, index) => Math.abs(value - b[index]!))) / largest
}
