// A server under mixed load with faults: `npm run proof -- serve-load [MINUTES]`. It runs in a process of its own, whose memory
// is read from the system; every answer has to be that of its own request.
import { mkdtempSync, readFileSync, rmSync } from "node:fs"
import { connect } from "node:net"
import { loadavg, tmpdir } from "node:os"
import { join } from "node:path"
import { openRag } from "@tandem/rag/node/OpenRag"
import { sendBytes } from "../apps/edge/test/support/Server.ts"
import { questions, smallRun } from "../packages/rag/test/support/SmallRun.ts"
import type { Experiment } from "../scripts/support/Experiment.ts"
import { startServing } from "../test/support/Serving.ts"

const clients = 12
/** V8 lets garbage of a hundred MiB and more come and go where it may; in a heap of this size it is collected, and what stays is seen. */
const heap = ["--max-old-space-size=128", "--max-semi-space-size=4"]
/** Share of the time that is not counted: caches fill, and code is compiled. */
const warmUp = 0.3

interface Sample {
  readonly kind: string
  readonly seconds: number
}

export const run: Experiment = async ({ args, log }) => {
  const minutes = Number(args[0] ?? 10)
  const folder = mkdtempSync(join(tmpdir(), "tandem-load-"))
  try {
    const made = await smallRun(join(folder, "run"))
    await using own = await openRag(made, { threads: 1 })
    const expected = await Promise.all(
      questions.map(async (question) => ({
        question,
        vector: (await own.embed([question], { as: "query" }))[0] ?? new Float32Array(),
        answer: (await own.ask(question)).answer,
      })),
    )
    const serving = await startServing(["--run", made, "--threads", "1", "--max-requests", "64", "--timeout", "30"], {
      ...{ path: process.execPath, args: heap, env: {} },
    })
    const { url, process: server } = serving
    const samples: Sample[] = []
    const memory: (readonly [seconds: number, MiB: number])[] = []
    const [counts, wrong]: [Record<string, number>, string[]] = [{}, []]
    const began = performance.now()
    const seconds = (): number => (performance.now() - began) / 1000
    const count = (what: string): void => {
      counts[what] = (counts[what] ?? 0) + 1
    }
    const memoryOf = (): number => {
      const status = readFileSync(`/proc/${server.pid}/status`, "utf8")
      return Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1] ?? 0) / 1024
    }
    const clock = setInterval(() => memory.push([seconds(), memoryOf()]), 1000)

    const post = (path: string, body: unknown, signal?: AbortSignal) =>
      fetch(url + path, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify(body),
        ...(signal === undefined ? {} : { signal }),
      })
    /** Each kind of request, and what is wrong with its answer. */
    const kinds: Readonly<Record<string, (at: number, marker: string) => Promise<string | undefined>>> = {
      embed: async (at) => {
        const { question, vector } = expected[at]!
        const response = await post("/v1/embeddings", { model: "tandem", input: [question, "another text"] })
        if (response.status !== 200) return refused(response)
        const { data } = await response.json()
        const far = Math.max(...vector.map((value, index) => Math.abs(value - data[0].embedding[index])))
        return data.length === 2 && far < 1e-3 ? undefined : `an embedding that is ${far} off`
      },
      ask: async (at, marker) => {
        const response = await post("/ask", { query: expected[at]!.question, k: 3 })
        if (response.status !== 200) return refused(response)
        const { query, answer } = await response.json()
        return query === expected[at]!.question && answer === expected[at]!.answer ? undefined : `${marker}: ${answer}`
      },
      stream: async (at) => {
        const { question, answer } = expected[at]!
        const response = await post("/ask", { query: question, stream: true })
        if (response.status !== 200) return refused(response)
        const text = await response.text()
        const done = /event: done\ndata: (.*)/.exec(text)?.[1]
        return done !== undefined && JSON.parse(done).answer === answer ? undefined : "a stream without its answer"
      },
      retrieve: async (_, marker) => {
        const response = await post("/retrieve", { queries: [marker, questions[0]], k: 2 })
        if (response.status !== 200) return refused(response)
        return (await response.json()).results.length === 2 ? undefined : "passages of other questions"
      },
      "left in mid-stream": async (at) => {
        const controller = new AbortController()
        const response = await post("/ask", { query: expected[at]!.question, stream: true }, controller.signal)
        await response.body?.getReader().read()
        controller.abort()
        return undefined
      },
      "cut off": (at) =>
        new Promise((resolve) => {
          const socket = connect(Number(new URL(url).port), "127.0.0.1", () => {
            socket.write(
              `POST /ask HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ncontent-length: 99\r\n\r\n{"q${at}`,
            )
            setTimeout(() => {
              socket.destroy()
              resolve(undefined)
            }, 20)
          })
          socket.on("error", () => resolve(undefined))
        }),
      "no JSON": async () => {
        const { status } = await fetch(`${url}/ask`, {
          method: "POST",
          headers: { "content-type": "application/json" },
          body: "{",
        })
        return status === 400 || status === 429 ? undefined : `status ${status} for what is no JSON`
      },
      "too much": async () => {
        const { status } = await post("/v1/embeddings", { model: "tandem", input: Array(3000).fill("x") })
        return status === 400 || status === 429 ? undefined : `status ${status} for too many texts`
      },
    }
    const refused = async (response: Response): Promise<string | undefined> => {
      await response.text()
      return response.status === 429 ? "429" : `status ${response.status}`
    }
    const names = Object.keys(kinds)
    const client = async (number: number): Promise<void> => {
      for (let turn = 0; seconds() < 60 * minutes; turn++) {
        const kind = names[(turn + number) % names.length]!
        const start = seconds()
        const problem = await kinds[kind]!(
          (turn * clients + number) % expected.length,
          `marker ${number} ${turn}`,
        ).catch((cause: unknown) => String(cause))
        count(problem === "429" ? "sent away" : kind)
        if (problem !== undefined && problem !== "429") wrong.push(`${kind}: ${problem}`)
        else if (problem === undefined && start > 60 * minutes * warmUp)
          samples.push({ kind, seconds: seconds() - start })
      }
    }
    /** Heads that do not end, which are refused in words when their time is over. */
    const slowly = async (): Promise<void> => {
      while (seconds() < 60 * minutes - 30) {
        const answer = await sendBytes(Number(new URL(url).port), ["POST /ask HTTP/1.1\r\nhost: a\r\n"], 30)
        count("half a head")
        if (!/^HTTP\/1\.1 408 .*\{"error":\{"message":/s.test(answer)) wrong.push(`half a head: ${answer}`)
      }
    }
    const load = loadavg()[0]
    await Promise.all([slowly(), ...Array.from({ length: clients }, (_, number) => client(number))])
    clearInterval(clock)
    const metrics = await (await fetch(`${url}/metrics`)).text()
    server.kill("SIGTERM")
    const code = await serving.ended
    const counted = memory.filter(([at]) => at > 60 * minutes * warmUp)
    const lowest = lowestOf(counted)
    const slope = 60 * slopeOf(lowest)
    log(`${samples.length} requests, memory ${slope.toFixed(2)} MiB a minute`)
    return {
      settings: { minutes, clients, warmUp, heap, models: "tiny", kinds: names, "load of the machine before": load },
      figures: {
        requests: counts,
        milliseconds: Object.fromEntries(
          names.map((name) => [
            name,
            quantiles(samples.filter(({ kind }) => kind === name).map((each) => each.seconds)),
          ]),
        ),
        memoryMiB: {
          ...{ first: counted[0]?.[1], last: counted.at(-1)?.[1], aMinute: 60 * slopeOf(counted) },
          "lowest of each minute": lowest.map(([, value]) => value),
          "lowest, a minute": slope,
        },
        wrong: wrong.slice(0, 20),
      },
      holds: {
        "no answer was lost, crossed or wrong": wrong.length === 0,
        "memory at its lowest of each minute grows by less than 1 MiB a minute after the warm-up": slope < 1,
        "nothing was left behind": /^tandem_requests_present 0$/m.test(metrics),
        "the server ended in order": code === 0,
      },
    }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/** The lowest of each minute: what is not collected yet comes and goes. */
const lowestOf = (points: readonly (readonly [seconds: number, value: number])[]) =>
  [...Map.groupBy(points, ([at]) => Math.floor((at - points[0]![0]) / 60)).values()]
    .filter((each) => each.length > 30)
    .map((each) => each.reduce((least, point) => (point[1] < least[1] ? point : least)))

/** By least squares. */
const slopeOf = (points: readonly (readonly [x: number, y: number])[]): number => {
  const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length
  const [x, y] = [mean(points.map(([at]) => at)), mean(points.map(([, value]) => value))]
  const across = points.reduce((sum, [at, value]) => sum + (at - x) * (value - y), 0)
  return across / points.reduce((sum, [at]) => sum + (at - x) ** 2, 0)
}

const quantiles = (values: readonly number[]) => {
  const sorted = values.toSorted((a, b) => a - b)
  const at = (share: number): number | undefined => {
    const value = sorted[Math.floor(share * (sorted.length - 1))]
    return value === undefined ? undefined : Math.round(10_000 * value) / 10
  }
  return { n: values.length, p50: at(0.5), p99: at(0.99) }
}
