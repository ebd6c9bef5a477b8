// How well a data pipeline keeps an endpoint busy that takes its time for every reply: against bare requests, as many at once.
import { chatServer } from "../packages/datagen/test/support/ChatServer.ts"
import type { ExperimentContext, ExperimentResult } from "../scripts/support/Experiment.ts"
import { compare, verdicts } from "./support/Compare.ts"
import type { DatagenBenchSettings } from "./support/DatagenSettings.ts"

const latency = 2000
const concurrency = 50
const items = 900
const rounds = 3
/** At least 90 % of the rate that is possible. */
const targets = { speed: 0.9 }

export async function run({ log }: ExperimentContext): Promise<ExperimentResult> {
  const server = await chatServer({ latency })
  try {
    const settings: DatagenBenchSettings = { baseUrl: server.baseUrl, items, concurrency }
    const peer = { side: "bare-requests" } as const
    const common = { name: "datagen", settings: { ...settings }, rounds, tolerance: 0, targets, peer, log }
    const figures = { [`${items} chunks, ${concurrency} calls at once`]: await compare(common) }
    return {
      settings: {
        work: "training conversations made of chunks by an endpoint",
        against: "as many bare requests",
        unit: `${items} chunks, two calls each`,
        data: "invented chunks; a server on loopback that waits before each reply",
        ...{ latency, concurrency, items, rounds, targets },
      },
      figures,
      holds: verdicts(figures),
    }
  } finally {
    await server.close()
  }
}
