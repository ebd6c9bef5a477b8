// What HTTP costs, and what batches win: `npm run proof -- serve-speed [SECONDS]`. Embeddings of MiniLM by direct calls, by one
// client and by sixteen, in turns within one run; and where the time until an answer's first token goes.

import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { makeHandler } from "@tandem/edge"
import { listen } from "@tandem/edge/node/Listen"
import { openRag } from "@tandem/rag/node/OpenRag"
import { Effect } from "effect"
import { needs } from "../bench/support/Material.ts"
import type { Experiment } from "../scripts/support/Experiment.ts"
import { madeRun } from "./support/ServedRun.ts"

const rounds = 3
const many = 16

export const run: Experiment = async ({ args, log }) => {
  const seconds = Number(args[0] ?? 4)
  const [encoder, reader] = [
    needs("TANDEM_MODELS", "all-MiniLM-L6-v2"),
    needs("TANDEM_MODELS", "SmolLM2-135M-Instruct"),
  ]
  const folder = mkdtempSync(join(tmpdir(), "tandem-speed-"))
  try {
    const made = await madeRun(join(folder, "run"), { encoder, reader })
    await using rag = await openRag(made)
    const handler = makeHandler(rag)
    const { url, close } = await Effect.runPromise(listen(handler.fetch, { port: 0 }))
    const text = (index: number): string => `what is known of the bridge over river number ${index}, and who built it?`
    const post = async (path: string, body: unknown): Promise<Response> => {
      const headers = { "content-type": "application/json" }
      return fetch(url + path, { method: "POST", headers, body: JSON.stringify(body) })
    }
    const overHttp = async (index: number): Promise<void> => {
      await (await post("/v1/embeddings", { model: "tandem", input: text(index), encoding_format: "base64" })).json()
    }
    const direct = async (index: number): Promise<void> => {
      await rag.embed([text(index)], { as: "query" })
    }
    /** Texts a second of so many callers, each of which asks again as soon as it was answered. */
    const rate = async (callers: number, call: (index: number) => Promise<void>): Promise<number> => {
      const began = performance.now()
      let done = 0
      await Promise.all(
        Array.from({ length: callers }, async () => {
          while (performance.now() - began < 1000 * seconds) await call(done++)
        }),
      )
      return done / ((performance.now() - began) / 1000)
    }
    await rate(many, overHttp)
    const ratios: Record<string, number[]> = {}
    const note = (name: string, value: number): void => {
      ratios[name] = [...(ratios[name] ?? []), value]
    }
    for (let round = 0; round < rounds; round++) {
      const [one, own, all, ownAll] = [
        await rate(1, overHttp),
        await rate(1, direct),
        await rate(many, overHttp),
        await rate(many, direct),
      ]
      note("1 client over direct calls", one / own)
      note(`${many} clients over ${many} direct callers`, all / ownAll)
      note(`${many} clients over 1 client`, all / one)
      log(
        `round ${round + 1}: ${Object.entries(ratios)
          .map(([name, values]) => `${name} ${values.at(-1)?.toFixed(2)}`)
          .join(", ")}`,
      )
    }
    const parts: { readonly search: number; readonly first: number }[] = []
    for (let turn = 0; turn < 4; turn++) {
      const began = performance.now()
      let [search, first] = [0, 0]
      for await (const event of rag.askStream(text(turn), { maxTokens: 4 })) {
        if (event.type === "sources") search = performance.now() - began
        if (event.type === "token" && first === 0) first = performance.now() - began
      }
      if (turn > 0) parts.push({ search, first })
    }
    await handler.close()
    await close()
    const figures = Object.fromEntries(
      Object.entries(ratios).map(([name, values]) => [name, { rounds: values, median: median(values) }]),
    )
    return {
      settings: { seconds, rounds, encoder: "all-MiniLM-L6-v2", reader: "SmolLM2-135M-Instruct", k: 3 },
      figures: {
        ...figures,
        "until the first token, shares": {
          "encoding and searching": median(parts.map(({ search, first }) => search / first)),
          "reading prompts and the first token": median(parts.map(({ search, first }) => 1 - search / first)),
        },
      },
      holds: {
        "HTTP keeps 0.9 of the throughput of direct calls":
          (figures[`${many} clients over ${many} direct callers`]?.median ?? 0) >= 0.9,
        "16 clients get at least twice of what one gets": (figures[`${many} clients over 1 client`]?.median ?? 0) >= 2,
      },
    }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

const median = (values: readonly number[]): number =>
  values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0
