import assert from "node:assert/strict"
import { mkdtempSync, readdirSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { after, describe, it } from "node:test"
import { Effect } from "effect"
import { type ChatServer, type ChatServerOptions, chatServer } from "../support/ChatServer.ts"
import { filesIn } from "../support/KilledPipeline.ts"
import { estimatePipeline, runPipeline, testSettings } from "../support/RunPipeline.ts"

const root = mkdtempSync(join(tmpdir(), "tandem-datagen-"))
const servers: ChatServer[] = []
after(async () => {
  await Promise.all(servers.map((server) => server.close()))
  rmSync(root, { recursive: true, force: true })
})

const served = async (options?: ChatServerOptions): Promise<ChatServer> => {
  const server = await chatServer(options)
  servers.push(server)
  return server
}

const lines = (text: string | undefined) =>
  (text ?? "")
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line))

const documents = 12

/** Settings of a small run whose filter does not ask. */
const fewSettings = (folder: string, baseUrl: string) =>
  testSettings(folder, baseUrl, {}, { skip: { skip_filter_chunks: true } })

describe("generateData", () => {
  it("keeps the replies of an endpoint that counts no tokens", async () => {
    const server = await served({ usage: "none" })
    const settings = fewSettings(join(root, "uncounted"), server.baseUrl)
    await Effect.runPromise(runPipeline(settings, 3))
    const calls = server.calls()
    await Effect.runPromise(runPipeline(settings, 3))
    assert.equal(server.calls(), calls)
  })

  it("asks an endpoint that knows no forms of replies by the prompt alone", async () => {
    const server = await served({ forms: false })
    const summary = await Effect.runPromise(runPipeline(fewSettings(join(root, "formless"), server.baseUrl), 3))
    assert.ok(summary.rows > 0 && summary.rows === summary.success + summary.failed)
    // The first ones find it out, each for itself.
    assert.ok(server.calls() > server.delivered() && server.calls() <= server.delivered() + 4, `${server.calls()}`)
  })

  it("makes conversations, rows and records out of chunks, and asks nothing twice", async () => {
    const server = await served()
    const folder = join(root, "plain")
    const settings = testSettings(folder, server.baseUrl)
    const summary = await Effect.runPromise(runPipeline(settings, documents))
    assert.equal(summary.chunks, 36)
    assert.equal(summary.suitable, 36)
    assert.equal(summary.success + summary.failed, 36)
    assert.ok(summary.failed > 5 && summary.success > 15)
    assert.equal(summary.rows, 36)
    assert.equal(server.calls(), 72)
    assert.ok(server.most() <= 4)
    const files = filesIn(folder)
    assert.deepEqual(Object.keys(files), [
      "axolotl_rag_conversations.jsonl",
      "debug_outputs/rag_convs.yaml",
      "debug_outputs/rag_failed_convs.yaml",
      "debug_outputs/rag_success_convs.yaml",
      "large_model_tokens.json",
      "meta_dataset.jsonl",
      "rag_failed_convs.jsonl",
      "rag_prepared_data.json",
      "rag_prepared_data.jsonl",
      "rag_success_convs.jsonl",
      "rejected.jsonl",
      "small_model_tokens.json",
    ])
    assert.deepEqual(JSON.parse(files["small_model_tokens.json"] ?? ""), {
      input_tokens: 3600,
      input_cost: 0.0036,
      output_tokens: 720,
      output_cost: 0.00144,
      name: "small",
    })
    assert.equal(lines(files["rag_success_convs.jsonl"]).length, summary.success)
    assert.equal(lines(files["meta_dataset.jsonl"]).length, 72)
    for (const { segments } of lines(files["axolotl_rag_conversations.jsonl"])) {
      assert.equal(segments[0].label, false)
      assert.equal(segments.at(-1).label, true)
    }
    const again = await Effect.runPromise(runPipeline(settings, documents))
    assert.deepEqual(again, summary)
    assert.deepEqual(filesIn(folder), files)
    assert.equal(server.calls(), 72)
  })

  it("gives the same files through faults in a fifth of the calls, in whatever order replies come", async () => {
    const folders = [join(root, "undisturbed"), join(root, "disturbed")] as const
    const calm = await served()
    await Effect.runPromise(runPipeline(testSettings(folders[0], calm.baseUrl), documents))
    const rough = await served({ faultShare: 0.2 })
    const settings = testSettings(folders[1], rough.baseUrl, { concurrency_limit: 9 })
    const summary = await Effect.runPromise(runPipeline(settings, documents))
    assert.equal(summary.rejected, 0)
    assert.ok(rough.calls() > 80, `${rough.calls()}`)
    assert.equal(rough.delivered(), rough.distinct())
    // What was said and paid in between differs; what is made of it does not.
    const [expected, found] = [filesIn(folders[0]), filesIn(folders[1])]
    for (const name of Object.keys(expected).filter((one) => !/debug|tokens|meta/.test(one))) {
      assert.equal(found[name], expected[name], name)
    }
  })

  it("filters what is not fit and rejects what cannot be used, with reasons", async () => {
    const server = await served({
      reply: ([system, user]) => {
        if (system?.content.startsWith("You decide") === true) {
          if (user?.content.includes("from d0.txt") === true) return "<think>suitable!</think>Not suitable, I would say"
          if (user?.content.includes("from d1.txt") === true) return '{"reason": "an index", "suitable": false}'
        } else if (user?.content.includes("[d2.txt] (needed)") === true) {
          return '{"turns": [{"question": "Why?", "answer": "It says \\"all that is not there\\" [d2.txt]."}]}'
        }
        return undefined
      },
    })
    const folder = join(root, "rejected")
    const settings = testSettings(folder, server.baseUrl, { rag_failure_percentage: 0 })
    const first = await Effect.runPromise(estimatePipeline(settings, documents))
    assert.deepEqual([first.small.calls, first.small.kept, first.large.calls, first.large.kept], [36, 0, 36, 0])
    const summary = await Effect.runPromise(runPipeline(settings, documents))
    assert.equal(summary.suitable, 30)
    assert.equal(summary.rejected, 9)
    const rejected = lines(filesIn(folder)["rejected.jsonl"])
    const reasons = (source: string) =>
      rejected.filter(({ item }) => item.chunk.source === source).map(({ stage, reason }) => `${stage}: ${reason}`)
    assert.match(reasons("d0.txt")[0] ?? "", /^filter: it holds no JSON object/)
    assert.equal(reasons("d1.txt")[0], "filter: not fit for questions: an index")
    assert.match(reasons("d2.txt")[0] ?? "", /^verify: invented-quote/)
    // What is kept is known to be paid, the drawn items of the chunks that the filter left included.
    const { small, large, mostCost } = await Effect.runPromise(estimatePipeline(settings, documents))
    assert.deepEqual([small.calls, small.kept, large.calls, large.kept, mostCost], [36, 36, 30, 30, 0])
  })

  it("has a model judge what passes the rules, where it is to", async () => {
    const server = await served({
      reply: ([system, user]) =>
        system?.content.startsWith("You check") === true
          ? JSON.stringify({ reason: "so it is", grounded: user?.content.includes("Passage [d3.txt]") !== true })
          : undefined,
    })
    const folder = join(root, "judged")
    const settings = testSettings(folder, server.baseUrl, {}, { verify: { judge: true } })
    const summary = await Effect.runPromise(runPipeline(settings, documents))
    assert.ok(summary.rejected > 0 && summary.rejected < 10, `${summary.rejected}`)
    const reasons = lines(filesIn(folder)["rejected.jsonl"]).map(({ stage, reason }) => `${stage} ${reason}`)
    assert.deepEqual([...new Set(reasons)], ["verify ungrounded: so it is"])
    assert.equal(server.calls(), 72 + summary.success + summary.rejected)
  })

  it("stops at the budget without passing it, and goes on with a larger one", async () => {
    const server = await served()
    const folder = join(root, "budget")
    // A filter costs 0.00014 by its usage, a conversation 0.00038.
    const limited = (budget: number) =>
      testSettings(
        folder,
        server.baseUrl,
        {},
        {
          cost: { small_input: 1, small_output: 2, large_input: 3, large_output: 4, budget },
          api: {
            ...testSettings(folder, server.baseUrl).api,
            small_max_tokens: 50,
            large_max_tokens: 100,
          },
        },
      )
    const error = await Effect.runPromise(Effect.flip(runPipeline(limited(0.01), documents)))
    assert.equal(error._tag, "BudgetReached")
    const before = server.delivered()
    assert.ok(before > 36 && before < 72, `${before}`)
    assert.ok(36 * 0.00014 + (before - 36) * 0.00038 <= 0.01)
    assert.equal((await Effect.runPromise(Effect.flip(runPipeline(limited(0.01), documents))))._tag, "BudgetReached")
    assert.equal(server.delivered(), before)
    const summary = await Effect.runPromise(runPipeline(limited(1), documents))
    assert.equal(summary.rows, 36)
    assert.equal(server.delivered(), 72)
  })

  it("counts answers that are of no use but were charged for, and still does when it goes on", async () => {
    // Every second answer has no choices; each costs as a whole one does.
    const server = await served({ fault: (call) => (call % 2 === 0 ? "no choices" : undefined) })
    const folder = join(root, "charged")
    const { api } = testSettings(folder, server.baseUrl)
    const limited = (budget: number) =>
      testSettings(
        folder,
        server.baseUrl,
        { concurrency_limit: 1 },
        {
          cost: { small_input: 1, small_output: 1, large_input: 1, large_output: 1, budget },
          api: { ...api, small_max_tokens: 50, large_max_tokens: 100 },
          skip: { skip_filter_chunks: true },
        },
      )
    const spent = async (budget: number) => {
      const error = await Effect.runPromise(Effect.flip(runPipeline(limited(budget), documents)))
      assert.equal(error._tag, "BudgetReached")
      assert.ok(server.calls() * 0.00012 <= budget && server.calls() * 0.00012 > budget / 2, `${server.calls()}`)
      return server.calls()
    }
    const calls = await spent(0.002)
    assert.equal(await spent(0.002), calls)
    assert.ok((await spent(0.003)) > calls)
  })

  it("stops where the endpoint is down or refuses the key, and goes on when it is back", async () => {
    let down = false
    const server = await served({ fault: (call) => (down || (call > 40 && call < 46) ? "503" : undefined) })
    const folder = join(root, "down")
    const settings = testSettings(folder, server.baseUrl)
    const impatient = { ...settings, api: { ...settings.api, give_up_after: 0.2, retries: 1 } }
    down = true
    const error = await Effect.runPromise(Effect.flip(runPipeline(impatient, documents)))
    assert.equal(error._tag, "EndpointDown")
    assert.equal(server.delivered(), 0)
    down = false
    assert.equal((await Effect.runPromise(runPipeline(settings, documents))).rows, 36)
    assert.equal(server.delivered(), 72)
    const locked = await served({ fault: () => "401" })
    const refused = await Effect.runPromise(
      Effect.flip(runPipeline(testSettings(join(root, "refused"), locked.baseUrl), documents)),
    )
    assert.equal(refused._tag, "EndpointDown")
    assert.ok(locked.calls() <= 4)
  })

  it("refuses what cannot work before anything is asked", async () => {
    const server = await served()
    const folder = join(root, "early")
    const failing = async (system: object, given: number = documents) =>
      Effect.runPromise(Effect.flip(runPipeline(testSettings(folder, server.baseUrl, system), given)))
    assert.equal((await failing({ user_format: "{{ user" }))._tag, "InvalidTemplate")
    assert.equal((await failing({ final_assistant_prompts: ["No place for passages."] }))._tag, "InvalidTemplate")
    const language = await failing({ language: "tlh" })
    assert.equal(language._tag, "InvalidDatagenSettings")
    assert.ok("expected" in language && language.expected === "de, en, es, fr, zh")
    assert.equal(server.calls(), 0)
    assert.equal((await failing({}, 1))._tag, "TooFewChunks")
    assert.deepEqual(
      readdirSync(folder).filter((name) => name.endsWith(".part")),
      [],
    )
  })
})
