// Retrievers that are taught: killed while the teacher scores and while they train, and resumed, with real processes and files.
// Every score that was kept is never asked for again, and the losses are those of the run that nobody disturbed.
import assert from "node:assert/strict"
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { after, test } from "node:test"
import { smallWorld } from "../apps/joint/test/support/SmallWorld.ts"
import { endpoint, type Handler, json } from "../packages/generator/test/remote/Endpoint.ts"
import { atCheckpoint, betweenSteps, killAndResume, randomNumbers } from "./support/Killed.ts"
import { hashes, rowsOf, tandem } from "./support/TrainingProcess.ts"

const folder = mkdtempSync(join(tmpdir(), "tandem-lsr-kills-"))
after(() => rmSync(folder, { recursive: true, force: true }))
mkdirSync(join(folder, "data"))
const { data, dev, corpus, template } = smallWorld(join(folder, "data"))

const flags = (out: string): readonly string[] => [
  ...["lsr", "train", "--data", data, "--dev", dev, "--corpus", corpus, "--template", template, "--out", out],
  ...["--model", "tiny", "--tiny-hidden", "16", "--tiny-layers", "1", "--tiny-heads", "2", "--tiny-intermediate", "32"],
  ...["--tiny-vocabulary", "200", "--max-length", "24", "--batch-size", "4", "--k", "3", "--threads", "1"],
  ...["--lr", "0.003", "--dropout", "0.1", "--epochs", "1000", "--max-steps", "24", "--save-every", "5"],
  ...["--eval-every", "12", "--likelihoods", "4"],
]
const local = ["--generator", "tiny", "--max-answer", "8", "--max-prompt", "64", "--candidates", "renewed"]

/** Rows without how many pairs a step had to ask for: a step that is done again knows them. */
const lossesOf = (out: string) => rowsOf(out).map(({ asked: _, ...row }) => row)

const keysIn = (file: string): readonly string[] =>
  readFileSync(file, "utf8")
    .trimEnd()
    .split("\n")
    .slice(1)
    .map((line) => JSON.parse(line).key)

test("killed while it trains: the same losses and weights, and no score twice", async (t) => {
  const [reference, out] = [join(folder, "reference"), join(folder, "killed")]
  const { code, stderr } = await tandem([...flags(reference), ...local])
  assert.equal(code, 0, stderr)
  const random = randomNumbers(15)
  const moments = [betweenSteps(random), atCheckpoint(random)]
  const reached = await killAndResume([...flags(out), ...local], out, moments)
  t.diagnostic(`last steps before the kills: ${reached.join(", ")}`)
  assert.deepEqual(lossesOf(out), lossesOf(reference))
  assert.deepEqual(hashes(join(out, "retriever")), hashes(join(reference, "retriever")))
  const [killed, whole] = [out, reference].map((run) => keysIn(join(run, "prepared/scores.jsonl")))
  assert.equal(new Set(killed).size, killed!.length)
  assert.deepEqual(new Set(killed), new Set(whole))
})

/** A model behind `/completions`: words are tokens, and likelihoods depend on which words the prompt has. */
const echoing =
  (scored: string[]): Handler =>
  (response, request) => {
    const text = String(request.body["prompt"])
    const tokens = text.match(/<end>|\S+|\s+/g) ?? []
    const known = new Set<string>()
    const token_logprobs = tokens.map((token, index) => {
      const seen = known.has(token)
      known.add(token)
      return index === 0 ? null : seen ? -0.25 : -2
    })
    if (text.endsWith("<end>")) scored.push(text)
    const reply = json({ choices: [{ text, finish_reason: "length", logprobs: { tokens, token_logprobs } }] })
    setTimeout(() => reply(response, request), 5)
  }

test("killed while the teacher scores: what it answered is not asked for again", async (t) => {
  const scored: string[] = []
  const server = await endpoint(echoing(scored))
  const out = join(folder, "scoring")
  const file = join(out, "prepared/scores.jsonl")
  const remote = [
    ...["--generator", server.baseUrl, "--remote-model", "words", "--end-of-text", "<end>"],
    ...["--score-cache", file],
  ]
  try {
    const watching: { timer?: NodeJS.Timeout } = {}
    const { signal, stderr } = await tandem([...flags(out), ...remote], undefined, (child) => {
      watching.timer = setInterval(() => {
        if (existsSync(file) && readFileSync(file, "utf8").split("\n").length > 12) child.kill("SIGKILL")
      }, 2)
    })
    clearInterval(watching.timer)
    assert.equal(signal, "SIGKILL", stderr)
    const kept = keysIn(file)
    const before = scored.length
    // Requests that were under way at the kill are all that may be lost.
    assert.ok(kept.length >= 11 && before - kept.length <= 4, `${before} asked, ${kept.length} kept`)
    const ended = await tandem([...flags(out), ...remote, "--resume"])
    assert.equal(ended.code, 0, ended.stderr)
    const keys = keysIn(file)
    assert.equal(new Set(keys).size, keys.length)
    assert.equal(scored.length - before, keys.length - kept.length)
    t.diagnostic(`${kept.length} of ${keys.length} scores were there before the kill`)
    const all = scored.length
    assert.equal((await tandem([...flags(join(folder, "again")), ...remote])).code, 0)
    assert.equal(scored.length, all)
    assert.deepEqual(lossesOf(join(folder, "again")), lossesOf(out))
  } finally {
    await server.close()
  }
})
