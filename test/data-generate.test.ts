// `tandem data generate` over a folder of all kinds of documents, against an endpoint on this machine.
import assert from "node:assert/strict"
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { after, describe, it } from "node:test"
import { tandem } from "../apps/cli/test/support/Tandem.ts"
import { type ChatServer, chatServer } from "../packages/datagen/test/support/ChatServer.ts"
import { mixedDocuments } from "./support/MixedDocuments.ts"

const root = mkdtempSync(join(tmpdir(), "tandem-data-generate-"))
const servers: ChatServer[] = []
after(async () => {
  await Promise.all(servers.map((server) => server.close()))
  rmSync(root, { recursive: true, force: true })
})

const served = async (options?: Parameters<typeof chatServer>[0]) => {
  const server = await chatServer(options)
  servers.push(server)
  return server
}

const key = "sk-very-secret-1234"

const settingsFile = (name: string, baseUrl: string, more: Readonly<Record<string, object>> = {}) => {
  const [input, output, config] = [join(root, `${name}-in`), join(root, `${name}-out`), join(root, `${name}.yaml`)]
  mixedDocuments(input)
  const api = { small_base_url: baseUrl, large_base_url: baseUrl, small_api_key: "$TANDEM_TEST_KEY", retry_delay: 0.01 }
  const settings = {
    path: { input_dir: input, output_dir: output },
    api: { small_model: "small", large_model: "large", large_api_key: "TANDEM_TEST_KEY", ...api, ...more["api"] },
    system: { chunk_size: 90, use_subset: false, retrieval_mode: "hard", ...more["system"] },
    cost: { small_input: 1, small_output: 1, large_input: 2, large_output: 2, ...more["cost"] },
  }
  writeFileSync(config, JSON.stringify(settings))
  return { output, config }
}

const generate = (config: string, ...flags: readonly string[]) =>
  tandem(["data", "generate", "--config", config, ...flags], () => {}, { environment: { TANDEM_TEST_KEY: key } })

const events = (stdout: string) =>
  stdout
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line))

describe("tandem data generate", () => {
  it("says what it would cost, makes the data through faults, and shows no key anywhere", async () => {
    const server = await served({ faultShare: 0.2 })
    const { config, output } = settingsFile("whole", server.baseUrl, { api: { corrections: 4 } })
    const dry = await generate(config, "--dry-run", "--json", "--quiet")
    assert.equal(dry.code, 0, dry.stderr)
    const estimate = events(dry.stdout).at(-1)
    assert.equal(estimate.event, "estimate")
    assert.deepEqual([estimate.small.calls, estimate.small.kept], [estimate.chunks, 0])
    assert.ok(estimate.chunks >= 12, `${estimate.chunks}`)
    assert.ok(estimate.cost > 0 && estimate.mostCost > estimate.cost)
    assert.equal(server.calls(), 0)
    assert.equal(existsSync(output), false)

    const made = await generate(config)
    assert.equal(made.code, 0, made.stderr)
    assert.match(made.stderr, /broken\.pdf/)
    assert.match(made.stderr, /rows\.jsonl/)
    assert.match(made.stderr, /generating .*spent/)
    assert.match(made.stdout, new RegExp(`chunks +${estimate.chunks}\\n`))
    const rows = readFileSync(join(output, "axolotl_rag_conversations.jsonl"), "utf8").trim().split("\n")
    assert.equal(rows.length, estimate.chunks)
    const sources = new Set(
      ["rag_success_convs.jsonl", "rag_failed_convs.jsonl"].flatMap((name) =>
        events(readFileSync(join(output, name), "utf8")).map(({ item }) => item.chunk.source.split(":")[0]),
      ),
    )
    for (const source of ["plain.txt", "below/notes.md", "page.html", "letter.docx", "book.epub", "scan.pdf"]) {
      assert.ok(sources.has(source), source)
    }
    const files = readdirSync(output, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile())
    for (const { parentPath, name } of files) assert.ok(!readFileSync(join(parentPath, name)).includes(key), name)
    assert.ok(!made.stdout.includes(key) && !made.stderr.includes(key))

    const twice = await generate(config)
    assert.equal(twice.code, 4)
    assert.match(twice.stderr, /OutputFolderFailed[\s\S]*--resume/)
    const calls = server.calls()
    const again = await generate(config, "--resume", "--json", "--quiet")
    assert.equal(again.code, 0, again.stderr)
    assert.equal(again.stderr, "")
    assert.equal(events(again.stdout).at(-1).event, "done")
    assert.equal(server.calls(), calls)
  })

  it("ends resumable at the budget, and as data that are too few where they are", async () => {
    const server = await served()
    const { config } = settingsFile("budget", server.baseUrl, { cost: { budget: 0.005 } })
    const stopped = await generate(config, "--json")
    assert.equal(stopped.code, 130)
    assert.equal(events(stopped.stdout).at(-1).error.tag, "BudgetReached")

    const few = settingsFile("few", server.baseUrl, { system: { rag_max_chunks: 90, use_subset: false } })
    const short = await generate(few.config)
    assert.equal(short.code, 3)
    assert.match(short.stderr, /TooFewChunks/)
  })
})
