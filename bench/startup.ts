// From the start of a process to the end of its first training step: MiniLM and a file of SQuAD pairs, each time in a
// new process, against Python with sentence-transformers.
import { availableParallelism } from "node:os"
import type { ExperimentContext, ExperimentResult } from "../scripts/support/Experiment.ts"
import { type Compared, figuresOf, missingPeer, type Turn, verdicts } from "./support/Compare.ts"
import { needs } from "./support/Material.ts"
import { peersPython } from "./support/Peers.ts"
import { ourSide, peerSide, type Round, type Side } from "./support/Side.ts"
import { onePairOfEachPassage, pairSettings, withPairs } from "./support/SquadPairs.ts"

const rounds = 5
const batchSize = 16
const batches = 4
const targets = { speed: 2 }

export async function run({ log }: ExperimentContext): Promise<ExperimentResult> {
  const model = needs("TANDEM_MODELS", "all-MiniLM-L6-v2")
  const pairs = (await onePairOfEachPassage(needs("TANDEM_DATA", "squad/train.json"))).slice(0, batchSize * batches)
  const threads = availableParallelism()
  const name = "MiniLM, SQuAD pairs"
  const python = peersPython("torch")
  if (python === undefined) log(`startup: no peer (${missingPeer}); ours alone`)
  const starts: { sides: { ours: Side; peer: Side | undefined; alone: undefined }; turn: Turn }[] = []
  for (let round = 0; round < rounds; round++) {
    await withPairs(
      pairs,
      { batchSize, batches, warmup: 1, steps: 1, model, threads, dropout: 0 },
      async (settings) => {
        const [ours, own] = await finish(ourSide("dual-encoder-squad", settings))
        const [peer, theirs] =
          python === undefined ? [] : await finish(peerSide(python, "dual-encoder-squad", settings))
        starts.push({
          sides: { ours, peer, alone: undefined },
          turn: { ours: own, peer: theirs, products: undefined },
        })
        const peers = theirs === undefined ? "" : `, peer ${theirs.seconds.toFixed(2)} s`
        log(`startup ${round + 1} of ${rounds}: ${own.seconds.toFixed(2)} s${peers}`)
      },
    )
  }
  const found = figuresOf(
    { name: "startup", tolerance: undefined, targets },
    starts[0]!.sides,
    starts.map(({ turn }) => turn),
  )
  const figures: Record<string, Compared> = { [name]: found }
  const settings = {
    work: "start-up to the end of the first step",
    against: "sentence-transformers",
    unit: "process",
    ...pairSettings,
    model: "all-MiniLM-L6-v2",
    data: "SQuAD v1.1",
    pairs: pairs.length,
    batchSize,
    rounds,
    threads,
  }
  return { settings, figures, holds: verdicts(figures) }
}

/** Waits for a side's first step, and for the end of its process. */
const finish = async (starting: Promise<Side>): Promise<readonly [Side, Round]> => {
  const side = await starting
  await side.stop()
  const { secondsToFirst, peakMemoryMiB } = side
  return [side, { seconds: secondsToFirst, values: [], peakMemoryMiB }]
}
