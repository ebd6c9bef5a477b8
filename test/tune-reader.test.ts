// `tandem tune --questions --reader` over a folder: an endpoint writes questions and answers, a retriever and a reader learn,
// killed while the reader does, gone on with, asked.
import assert from "node:assert/strict"
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { after, test } from "node:test"
import { openRag } from "@tandem/rag/node/OpenRag"
import { tandem } from "../apps/cli/test/support/Tandem.ts"
import { chatServer } from "../packages/datagen/test/support/ChatServer.ts"
import { sentence } from "../packages/datagen/test/support/Chunks.ts"

const root = mkdtempSync(join(tmpdir(), "tandem-tune-reader-"))
after(() => rmSync(root, { recursive: true, force: true }))

const notes = join(root, "notes")
mkdirSync(notes)
for (let town = 0; town < 12; town++) {
  const sections = Array.from({ length: 3 }, (_, part) => {
    const number = town * 6 + part * 2
    return `## Part ${number}\n\n${sentence(number)} ${sentence(number + 1)}`
  })
  writeFileSync(join(notes, `town-${town}.md`), `# Town ${town}\n\n${sections.join("\n\n")}\n`)
}

const pipeline = (baseUrl: string): string => {
  const file = join(root, "data.yaml")
  const api = { small_model: "small", large_model: "large", small_base_url: baseUrl, large_base_url: baseUrl }
  writeFileSync(file, JSON.stringify({ api: { ...api, retry_delay: 0.01, corrections: 4 } }))
  return file
}

/** Questions of the passages, with answers only where they are asked for. */
const reply = ([system, user]: readonly { readonly content: string }[]): string => {
  if (system?.content.startsWith("You decide") === true) return JSON.stringify({ reason: "so", suitable: true })
  const [, who = "", does = "", what = ""] = /The (\w+ \d+) (\w+)s (\w+) for/.exec(user?.content ?? "") ?? []
  const question = `What does the ${who} ${does}?`
  if (system?.content.includes('"answer"') !== true) return JSON.stringify({ questions: [question] })
  // One answer is longer than any that a reader writes.
  const answer = who.endsWith(" 0") ? "a ".repeat(70) : what
  return JSON.stringify({ questions: [{ question, answer }] })
}

test("a retriever and a reader are tuned on a folder, killed, gone on with, and asked", async () => {
  const server = await chatServer({ faultShare: 0.2, reply })
  const out = join(root, "run")
  const args = ["tune", notes, "--model", "tiny", "--questions", pipeline(server.baseUrl), "--reader", "tiny"]
  const flags = ["--out", out, "--chunk-size", "48", "--held-out", "0.25", "--batch-size", "8", "--threads", "1"]
  const learning = join(out, "reader/metrics.jsonl")
  try {
    let timer: ReturnType<typeof setInterval> | undefined
    const killed = await tandem([...args, ...flags, "--epochs", "6"], (child) => {
      timer ??= setInterval(() => {
        if (existsSync(learning) && statSync(learning).size > 0) child.kill("SIGKILL")
      }, 20)
    })
    clearInterval(timer)
    assert.equal(killed.code, 137, killed.stderr)
    assert.match(killed.stderr, /\d+ steps of the retriever; then \d+ of the reader on \d+ answers, .* in all/)
    const [calls, retriever] = [server.calls(), readFileSync(join(out, "report.json"), "utf8")]
    assert.ok(calls > 36)

    const done = await tandem([...args, ...flags, "--epochs", "6", "--resume", "--json"])
    assert.equal(done.code, 0, done.stderr)
    // What was written and what was learned before is not written and learned again.
    assert.equal(server.calls(), calls)
    assert.equal(readFileSync(join(out, "report.json"), "utf8"), retriever)
    const told = JSON.parse(done.stdout.trim().split("\n").at(-1) ?? "")
    const { plan, reader } = JSON.parse(readFileSync(join(out, "tune/report.json"), "utf8"))
    assert.deepEqual(told.reader, reader)
    assert.equal(reader.steps, plan.reader.steps)
    assert.equal(plan.reader.questions + plan.reader.heldOut, plan.questions + plan.heldOut - 1)
    assert.ok(plan.reader.seconds > 0 && plan.reader.seconds <= plan.seconds)
    for (const name of ["retrieved.nll", "retrieved.exactMatch", "retrieved.f1"]) {
      assert.ok(
        [reader.before, reader.after, reader.differences.before].every((figures) => name in figures),
        name,
      )
    }
    assert.equal(reader.after.n, plan.reader.heldOut)
    assert.ok(reader.differences.before["retrieved.nll"].high < 0)
    assert.match(readFileSync(join(out, "tune/report.html"), "utf8"), /The reader: what it answers/)

    const asked = await tandem(["ask", "--run", out, "--json", "--threads", "1", "What does the harbour 3 store?"])
    assert.equal(asked.code, 0, asked.stderr)
    assert.equal(JSON.parse(asked.stdout).sources.length, 3)
    const rag = await openRag(out, { threads: 1 })
    assert.equal(rag.facts.generator?.model, "reader")
    await rag.close()
  } finally {
    await server.close()
  }
})

test("a reader needs questions with answers", async () => {
  const out = join(root, "none")
  const weak = await tandem(["tune", notes, "--model", "tiny", "--reader", "tiny", "--out", out])
  assert.equal(weak.code, 2, weak.stderr)
  assert.match(weak.stderr, /headings and sentences are none/)
  assert.ok(!existsSync(out))
  const server = await chatServer({
    reply: (messages) => reply(messages.map(({ content }) => ({ content: content.replaceAll('"answer"', "") }))),
  })
  try {
    const flags = ["--questions", pipeline(server.baseUrl), "--chunk-size", "48", "--out", out]
    const unanswered = await tandem(["tune", notes, "--model", "tiny", "--reader", "tiny", ...flags])
    assert.equal(unanswered.code, 3, unanswered.stderr)
    assert.match(unanswered.stderr, /too little text|too few questions/)
  } finally {
    await server.close()
  }
})
