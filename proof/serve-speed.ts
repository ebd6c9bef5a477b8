// What HTTP costs, and what batches win: `npm run proof -- serve-speed [SECONDS] [ROUNDS]`. Embeddings of MiniLM by direct calls in
// this process, by `tandem serve` in another and by sentence-transformers behind FastAPI in a third, in turns within one run, with
// clients in a process of their own; and where the time until an answer's first token goes.
import { mkdtempSync, readFileSync, rmSync } from "node:fs"
import { loadavg, tmpdir } from "node:os"
import { join } from "node:path"
import { openRag } from "@tandem/rag/node/OpenRag"
import { MissingMaterial, needs } from "../bench/support/Material.ts"
import { peersPython } from "../bench/support/Peers.ts"
import type { Experiment } from "../scripts/support/Experiment.ts"
import { startServing } from "../test/support/Serving.ts"
import { loadClients, pythonServer } from "./support/Loading.ts"
import { madeRun } from "./support/ServedRun.ts"

const many = 16
const together = 32
const path = "/v1/embeddings"

const text = (index: number): string => `what is known of the bridge over river number ${index}, and who built it?`
const bodyOf = (input: string | readonly string[]): string =>
  JSON.stringify({ model: "tandem", input, encoding_format: "base64" })
/** Requests of one text each, and of many. */
const bodies = {
  one: Array.from({ length: 64 }, (_, index) => bodyOf(text(index))),
  many: Array.from({ length: 4 }, (_, part) =>
    bodyOf(Array.from({ length: together }, (_, index) => text(together * part + index))),
  ),
}

/** Milliseconds of processor time that a process took so far, where the system tells it: ticks of a hundredth of a second. */
const workOf = (pid: number | undefined): number => {
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]?.split(" ") ?? []
  return 10 * (Number(fields[11]) + Number(fields[12]))
}

const claims = {
  http: `${many} clients over ${many} direct callers`,
  whole: `4 clients with ${together} texts each over 4 such direct callers`,
  batching: `${many} clients over 1 client`,
  peer: "1 client over Python's server",
  peerMany: `${many} clients over Python's server`,
}

export const run: Experiment = async ({ args, root, log }) => {
  const [seconds, rounds] = [Number(args[0] ?? 4), Number(args[1] ?? 5)]
  const [encoder, reader] = [
    needs("TANDEM_MODELS", "all-MiniLM-L6-v2"),
    needs("TANDEM_MODELS", "SmolLM2-135M-Instruct"),
  ]
  const python = peersPython("torch")
  if (python === undefined) throw new MissingMaterial("set up the peers: npm run bench:peers")
  const folder = mkdtempSync(join(tmpdir(), "tandem-speed-"))
  const clients = loadClients()
  try {
    const made = await madeRun(join(folder, "run"), { encoder, reader })
    const serving = await startServing(["--run", made])
    const threads = 2
    const peer = await pythonServer(python, join(root, "bench/peers/embedding-server.py"), {
      ...{ model: encoder, maxLength: 128, threads },
    })
    const rag = await openRag(made)
    const port = Number(new URL(serving.url).port)
    const [load] = loadavg()
    const work = new Map<string, number[]>()
    /** What `measure` tells a second, and besides the processor time of one, which other work on the machine changes little. */
    const watched = async (name: string, pid: number | undefined, measure: () => Promise<number>): Promise<number> => {
      const [began, before] = [performance.now(), workOf(pid)]
      const rate = await measure()
      const count = (rate * (performance.now() - began)) / 1000
      work.set(name, [...(work.get(name) ?? []), rounded((workOf(pid) - before) / count)])
      return rate
    }
    const over = (to: number, callers: number, which: readonly string[]): Promise<number> =>
      clients.rate({ port: to, path, bodies: which, clients: callers, seconds })
    /** Calls a second of so many callers, each of which asks again as soon as it was answered. */
    const direct = async (callers: number, size: number): Promise<number> => {
      const began = performance.now()
      let done = 0
      await Promise.all(
        Array.from({ length: callers }, async () => {
          while (performance.now() - began < 1000 * seconds) {
            const start = size * done++
            const texts = Array.from({ length: size }, (_, index) => text((start + index) % (4 * together)))
            await rag.embed(texts, { as: "query" })
          }
        }),
      )
      return done / ((performance.now() - began) / 1000)
    }
    for (const to of [port, peer.port]) await over(to, many, bodies.one)
    await direct(many, 1)
    const found = new Map<string, number[]>()
    const rates: Record<string, number>[] = []
    for (let round = 0; round < rounds; round++) {
      const { pid } = serving.process
      const one = await watched("1 client", pid, () => over(port, 1, bodies.one))
      const peerOne = await watched("Python, 1 client", peer.pid, () => over(peer.port, 1, bodies.one))
      const own = await watched("direct, 1 caller", process.pid, () => direct(1, 1))
      const all = await watched(`${many} clients`, pid, () => over(port, many, bodies.one))
      const ownAll = await watched(`direct, ${many} callers`, process.pid, () => direct(many, 1))
      const peerAll = await watched(`Python, ${many} clients`, peer.pid, () => over(peer.port, many, bodies.one))
      const whole = await watched(`${together} texts a request`, pid, () => over(port, 4, bodies.many))
      const ownWhole = await watched(`direct, ${together} texts a call`, process.pid, () => direct(4, together))
      const ratios = {
        "1 client over direct calls": one / own,
        [claims.http]: all / ownAll,
        [claims.whole]: whole / ownWhole,
        [claims.batching]: all / one,
        [claims.peer]: one / peerOne,
        [claims.peerMany]: all / peerAll,
      }
      for (const [name, value] of Object.entries(ratios)) found.set(name, [...(found.get(name) ?? []), rounded(value)])
      rates.push(
        Object.fromEntries(
          Object.entries({ one, own, all, ownAll, peerOne, peerAll, whole: together * whole }).map(([name, value]) => [
            name,
            rounded(value),
          ]),
        ),
      )
      log(`round ${round + 1}: ${[...found].map(([name, values]) => `${name} ${values.at(-1)}`).join(", ")}`)
    }
    const parts: { readonly search: number; readonly first: number }[] = []
    for (let turn = 0; turn < 6; turn++) {
      const began = performance.now()
      let [search, first] = [0, 0]
      for await (const event of rag.askStream(text(turn), { maxTokens: 4 })) {
        if (event.type === "sources") search = performance.now() - began
        if (event.type === "token" && first === 0) first = performance.now() - began
      }
      if (turn > 0) parts.push({ search, first })
    }
    await rag.close()
    peer.end()
    serving.process.kill("SIGTERM")
    const code = await serving.ended
    const middle = (name: string): number => median(found.get(name) ?? [])
    return {
      settings: {
        ...{ seconds, rounds, threads, encoder: "all-MiniLM-L6-v2", reader: "SmolLM2-135M-Instruct", k: 3 },
        clients: "a process of their own, on the same cores",
        "load of the machine before": rounded(load ?? 0),
      },
      versions: peer.versions,
      figures: {
        ...Object.fromEntries([...found].map(([name, values]) => [name, { rounds: values, median: median(values) }])),
        "texts a second, by round": rates,
        "milliseconds of processor time a request, medians": Object.fromEntries(
          [...work].map(([name, values]) => [name, median(values)]),
        ),
        "until the first token of an answer, shares": {
          "encoding and searching": rounded(median(parts.map(({ search, first }) => search / first))),
          "reading prompts and the first token": rounded(median(parts.map(({ search, first }) => 1 - search / first))),
        },
        "until the first token of an answer, milliseconds": rounded(median(parts.map(({ first }) => first))),
      },
      holds: {
        "HTTP keeps 0.9 of the throughput of direct calls, a text a request": middle(claims.http) >= 0.9,
        [`HTTP keeps 0.9 of the throughput of direct calls, ${together} texts a request`]: middle(claims.whole) >= 0.9,
        "16 clients get at least twice of what one gets": middle(claims.batching) >= 2,
        "one client gets at least 1.3 times of what Python's server gives": middle(claims.peer) >= 1.3,
        "16 clients get at least 1.3 times of what Python's server gives": middle(claims.peerMany) >= 1.3,
        "the server ended in order": code === 0,
      },
    }
  } finally {
    clients.end()
    rmSync(folder, { recursive: true, force: true })
  }
}

const rounded = (value: number): number => Math.round(1000 * value) / 1000

const median = (values: readonly number[]): number =>
  values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0
