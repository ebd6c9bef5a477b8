// What a finished run can be asked for: search that stays open, an index of other passages, embeddings, and what a model
// without a run is worth.
import assert from "node:assert/strict"
import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { after, before, test } from "node:test"
import { toNumbers } from "@tandem/onnx"
import { readSafetensors } from "@tandem/safetensors"
import { makeFolder, smallRun, tandem, writeData } from "./support/Tandem.ts"

const folder = makeFolder()
after(folder.remove)
const run = join(folder.path, "run")
const { data, corpus } = writeData(join(folder.path, "data"))
const questions = ["What can one buy in Elst?", "Who sells amber?"]
const asked = join(folder.path, "questions.txt")
const golden = new URL("../../../test/golden/sentence-transformers-tiny", import.meta.url).pathname

const lines = (text: string) =>
  text
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line))

const search = (args: readonly string[], input = "", environment: Readonly<Record<string, string>> = {}) =>
  tandem(["dpr", "search", "--run", run, "-k", "2", "--json", "--quiet", ...args], undefined, { input, environment })

before(async () => {
  writeFileSync(asked, `${questions[0]}\n\n${questions[1]}`)
  const { code, stderr } = await tandem(smallRun(folder.path, run))
  assert.equal(code, 0, stderr)
})

test("a run without an index says how to get one, and gets the one that training would have written", async () => {
  const bare = join(folder.path, "bare")
  assert.equal((await tandem([...smallRun(folder.path, bare), "--no-index"])).code, 0)
  const asking = ["dpr", "search", "--run", bare, "-k", "2", "--json", ...questions]
  const without = await tandem(asking)
  assert.equal(without.code, 3)
  assert.match(without.stdout, /"tag":"InvalidRun".*holds no index.*tandem dpr index/)
  const made = await tandem(["dpr", "index", "--run", bare, "--json", "--quiet"])
  assert.deepEqual([made.code, lines(made.stdout)], [0, [{ passages: 8, store: join(bare, "store") }]])
  assert.deepEqual(lines((await tandem(asking)).stdout), lines((await search(questions)).stdout))
})

test("what a run folder lacks, and what is damaged in it, is bad input and no fault of the machine", async () => {
  const broken = join(folder.path, "broken")
  mkdirSync(broken)
  cpSync(join(run, "retriever"), join(broken, "retriever"), { recursive: true })
  const config = join(broken, "config.json")
  const asking = ["dpr", "search", "--run", broken, "--json", ...questions]
  for (const [content, message] of [
    [undefined, /lacks config\.json/],
    ["{", /config\.json of the run folder is not what a run writes/],
    ['{"format": 7}', /config\.json of the run folder is not what a run writes: .*format/],
  ] as const) {
    if (content !== undefined) writeFileSync(config, content)
    const { code, stdout } = await tandem(asking)
    const [{ error }] = lines(stdout)
    assert.deepEqual([code, error.tag, error.file], [3, "InvalidRun", config], stdout)
    assert.match(error.message, message)
  }
})

test("questions come as arguments, from a file, or one after the other on standard input", async () => {
  const expected = lines((await search(questions)).stdout)
  assert.deepEqual(
    expected.map(({ query, results }) => [query, results.length]),
    questions.map((question) => [question, 2]),
  )
  assert.deepEqual(lines((await search(["--questions", asked])).stdout), expected)
  assert.deepEqual(lines((await search([], readFileSync(asked, "utf8"))).stdout), expected)

  const none = await search([])
  assert.deepEqual([none.code, lines(none.stdout)[0].error.tag], [2, "MissingFlag"])
  const twice = await search(["--questions", asked, "Elst?"])
  assert.deepEqual([twice.code, lines(twice.stdout)[0].error.tag], [2, "FlagWithoutEffect"])
  const missing = await search(["--questions", `${asked}.not`])
  assert.deepEqual([missing.code, lines(missing.stdout)[0].error.tag], [3, "UnreadableFile"])
})

test("search answers while its input stays open", async () => {
  let answered = 0
  const { code } = await tandem(
    ["dpr", "search", "--run", run, "--json", "--quiet"],
    (child, _, stdout) => {
      const seen = stdout.split("\n").length - 1
      if (seen === answered) return
      answered = seen
      if (seen === 1) child.stdin?.end(`${questions[1]}\n`)
    },
    { input: `${questions[0]}\n`, keepOpen: true },
  )
  assert.deepEqual([code, answered], [0, 2])
})

test("a text of 20 KB is answered; among the arguments it is refused in words while telemetry is on", async () => {
  const long = "What can one buy in Elst? ".repeat(800)
  const answered = await search([], `${long}\n`)
  assert.deepEqual([answered.code, lines(answered.stdout)[0].results.length], [0, 2])
  assert.equal((await search([long], "")).code, 0)
  const refused = await search([long], "", { ORT_DISABLE_TELEMETRY: "0" })
  assert.equal(refused.code, 4)
  const { tag, field, hint } = lines(refused.stdout)[0].error
  assert.deepEqual([tag, field], ["ProviderUnavailable", "arguments"])
  assert.match(hint, /standard input/)
})

test("other passages are indexed beside the run's own", async () => {
  const other = join(folder.path, "other.jsonl")
  writeFileSync(other, `${JSON.stringify({ id: "new", text: "Nobody sells amber any more." })}\n`)
  const store = join(folder.path, "store")
  const made = await tandem(["dpr", "index", "--run", run, "--corpus", other, "--out", store])
  assert.equal(made.code, 0, made.stderr)
  assert.match(made.stdout, /^passages {2}1\nindex {5}/)
  const [found] = lines((await search(["--store", store, "amber"])).stdout)
  assert.deepEqual(
    found.results.map(({ id }: { readonly id: string }) => id),
    ["new"],
  )
  const [own] = lines((await search(["amber"])).stdout)
  assert.ok(own.results.every(({ id }: { readonly id: string }) => id.startsWith("p")))
})

test("embeddings of passages and questions score as search does", async () => {
  const encode = async (out: string, ...texts: readonly string[]) => {
    const ended = await tandem(["dpr", "encode", "--run", run, "--out", join(folder.path, out), "--json", ...texts])
    assert.equal(ended.code, 0, ended.stderr)
    const bytes = new Uint8Array(readFileSync(join(folder.path, out, "embeddings.safetensors")))
    const embeddings = readSafetensors(bytes).tensors.get("embeddings")
    assert.ok(embeddings !== undefined)
    const ids: readonly string[] = JSON.parse(readFileSync(join(folder.path, out, "ids.json"), "utf8"))
    const [, dimension = 0] = embeddings.dims
    const values = toNumbers(embeddings)
    return new Map(ids.map((id, row) => [id, values.slice(row * dimension, (row + 1) * dimension)]))
  }
  const passages = await encode("passages", "--corpus", corpus)
  const queries = await encode("queries", "--questions", asked)
  assert.deepEqual([passages.size, [...queries.keys()]], [8, questions])
  for (const { query, results } of lines((await search(questions)).stdout)) {
    for (const { id, score } of results) {
      const inner = passages.get(id)!.reduce((sum, value, at) => sum + value * queries.get(query)![at]!, 0)
      assert.ok(Math.abs(inner - score) < 1e-5, `${inner}, not ${score}`)
    }
  }
  const blocked = await tandem(["dpr", "encode", "--run", run, "--corpus", corpus, "--out", run, "--json"])
  assert.deepEqual([blocked.code, lines(blocked.stdout)[0].error.field], [2, "out"])
  assert.ok(readFileSync(join(run, "config.json")).length > 0)
})

test("a model without a run is measured as a run's untrained model is, and so is BM25", async () => {
  const trained = join(folder.path, "measured")
  const flags = ["--data", data, "--corpus", corpus]
  const training = ["dpr", "train", ...flags, "--dev", data, "--model", golden, "--batch-size", "4", "--out", trained]
  assert.equal((await tandem([...training, "--no-index"])).code, 0)
  const { before: untrained, baselines, variants } = JSON.parse(readFileSync(join(trained, "report.json"), "utf8"))
  const measured = await tandem(["dpr", "eval", "--model", golden, ...flags, "--json"])
  assert.deepEqual(lines(measured.stdout), [untrained])
  assert.deepEqual(Object.keys(variants.q8), Object.keys(untrained))
  const words = await tandem(["dpr", "eval", "--bm25", ...flags, "--json"])
  assert.deepEqual(lines(words.stdout), [baselines.bm25])
  for (const [args, expected] of [
    [[], /error\[MissingFlag\] nothing that encodes/],
    [["--run", run, "--titles", "none"], /error\[FlagWithoutEffect\] --titles/],
    [["--model", golden, "--query-encoder", golden], /error\[FlagWithoutEffect\] --model/],
    [["--bm25", "--run", run], /error\[FlagWithoutEffect\] --bm25/],
  ] as const) {
    const refused = await tandem(["dpr", "eval", "--data", data, ...args])
    assert.equal(refused.code, 2)
    assert.match(refused.stderr, expected)
  }
  rmSync(trained, { recursive: true })
})
