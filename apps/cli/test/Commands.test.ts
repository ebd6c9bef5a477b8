import assert from "node:assert/strict"
import { existsSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { after, type TestContext, test } from "node:test"
import { runCommandLine } from "../src/CommandLine.ts"
import { makeFolder, smallRun, tandem, writeData } from "./support/Tandem.ts"

const folder = makeFolder()
after(folder.remove)
const { data, corpus } = writeData(join(folder.path, "data"))
const source = ["--data", data, "--corpus", corpus, "--model", "tiny"]
const needed = [...source, "--out", join(folder.path, "never")]

test("help and version", async () => {
  const help = await tandem(["dpr", "train", "--help"])
  assert.equal(help.code, 0)
  for (const flag of ["--batch-size N", "--hard-negatives N", "--retriever RUN|DIR", "--config F"]) {
    assert.ok(help.stdout.includes(flag), flag)
  }
  assert.match((await tandem(["--version"])).stdout, /0\.1\.0/)
  const alone = await tandem([])
  assert.equal(alone.code, 2)
  assert.equal(alone.stdout, "")
  assert.match(alone.stderr, /dpr .*Dense passage retrieval/)
})

/** Runs a command line that is refused before it writes results. */
const inThisProcess = async (args: readonly string[], t: TestContext) => {
  let stderr = ""
  const write = t.mock.method(process.stderr, "write", (text: string) => {
    stderr += text
    return true
  })
  const code = await runCommandLine(args, "0.0.0")
  write.mock.restore()
  return { code, stderr }
}

test("wrong usage ends with 2 and names the flag", async (t) => {
  const cases: readonly (readonly [readonly string[], RegExp])[] = [
    [["dpr", "train", "--batchsize", "4"], /error\[UnknownFlag\] --batchsize .*\n.*did you mean --batch-size\?/],
    [["dpr", "train", ...needed, "--quantize", "4"], /error\[UnknownFlag\] --quantize/],
    [["dpr", "train", ...needed, "--generator", "M"], /error\[UnknownFlag\] --generator/],
    [["dpr", "train", ...needed, "--dtype", "fp16"], /error\[UnknownFlag\] --dtype/],
    [["dpr", "tain"], /error\[UnknownCommand\] .*tain[\s\S]*did you mean train\?/],
    [["dpr", "train", "--data", data, "--model", "tiny"], /error\[MissingFlag\] --out is needed/],
    [["dpr", "train", "--out", "x", "--model", "tiny"], /error\[MissingFlag\] --data is needed/],
    [["dpr", "train", "--data", data, "--out", "x"], /error\[MissingFlag\] no model is named/],
    [["dpr", "train", "--data", data, "--out", "x", "--passage-encoder", "M"], /--query-encoder/],
    [["dpr", "train", ...needed, "--batch-size", "0"], /--batch-size[\s\S]*whole number, 1 or more\n.*found +0/],
    [["dpr", "train", ...needed, "--lr", "fast"], /--lr[\s\S]*a number above 0\n.*found +fast/],
    [["dpr", "train", ...needed, "--dropout", "1"], /--dropout/],
    [["dpr", "train", ...needed, "--warmup", "1.5"], /--warmup/],
    [["dpr", "train", ...needed, "--schedule", "stairs"], /--schedule[\s\S]*linear, cosine or constant/],
    [["dpr", "train", ...needed, "--lr", "1", "--lr", "2"], /--lr/],
    [["dpr", "train", ...needed, "--lr"], /--lr needs a value/],
    [["dpr", "train", ...needed, "--patience", "2"], /FlagWithoutEffect\] --patience/],
    [["dpr", "train", ...needed, "--eval-every", "2"], /FlagWithoutEffect\] --eval-every/],
    [
      ["dpr", "train", ...needed, "--negatives", "none", "--hard-negatives", "2"],
      /FlagWithoutEffect\] --hard-negatives/,
    ],
    [["dpr", "train", ...needed, "--query-encoder", "M"], /FlagWithoutEffect\] --model/],
    [["dpr", "train", ...needed, "--retriever", "M"], /FlagWithoutEffect\] --model/],
    [
      ["dpr", "train", "--data", data, "--model", "M", "--out", "x", "--tiny-hidden", "8"],
      /FlagWithoutEffect\] --tiny-hidden/,
    ],
    [["dpr", "search", "--run", "x", "-k", "0", "q"], /error\[InvalidFlag\] --k/],
    [["dpr", "encode", "--run", "x", "--corpus", "F"], /error\[MissingFlag\] --out is needed/],
    [["dpr", "train", ...needed, "stray"], /error\[InvalidFlag\].*stray/],
  ]
  for (const [index, [args, message]] of cases.entries()) {
    // A process takes its time to start: the first cases show what one does, the others what it would print.
    const { code, stderr } = index < 3 ? await tandem(args) : await inThisProcess(args, t)
    assert.equal(code, 2, `${args.join(" ")}\n${stderr}`)
    assert.match(stderr, message)
  }
  assert.ok(!existsSync(join(folder.path, "never")))
})

test("bad input ends with 3, a bad environment with 4, each saying what and where", async () => {
  const missing = await tandem([
    "dpr",
    "train",
    "--data",
    "no-such.jsonl",
    "--model",
    "tiny",
    "--out",
    join(folder.path, "a"),
  ])
  assert.equal(missing.code, 3)
  assert.match(missing.stderr, /error\[UnreadableFile\].*no-such\.jsonl/)

  const empty = join(folder.path, "empty.jsonl")
  writeFileSync(empty, "")
  const nothing = await tandem([
    "dpr",
    "train",
    "--data",
    empty,
    "--model",
    "tiny",
    "--out",
    join(folder.path, "b"),
    "--json",
  ])
  assert.equal(nothing.code, 3)
  const last: unknown = JSON.parse(nothing.stdout.trim().split("\n").at(-1) ?? "")
  assert.ok(typeof last === "object" && last !== null && "error" in last)
  const { tag, file } = Object.assign({ tag: "", file: "" }, last.error)
  assert.deepEqual([tag, file], ["EmptyFile", empty])

  const noRun = await tandem(["dpr", "eval", "--run", join(folder.path, "nowhere"), "--data", data, "--json"])
  assert.equal(noRun.code, 3)
  assert.match(noRun.stdout, /^\{"error":\{"tag":"NoRun"/)

  const plain = join(folder.path, "file")
  writeFileSync(plain, "")
  const blocked = await tandem(["world", "--out", join(plain, "world")])
  assert.equal(blocked.code, 4)
  assert.match(blocked.stderr, /error\[UnwritableFile\]/)
  const unwritable = await tandem(["dpr", "train", ...source, "--out", join(plain, "run")])
  assert.equal(unwritable.code, 4, unwritable.stderr)
  assert.match(unwritable.stderr, /error\[RunFolder\]/)

  const cuda = await tandem([
    "dpr",
    "train",
    ...source,
    "--out",
    join(folder.path, "c"),
    "--device",
    "cuda",
    "--max-steps",
    "1",
  ])
  assert.ok(cuda.code === 4 ? /error\[ProviderUnavailable\]/.test(cuda.stderr) : cuda.code === 0, cuda.stderr)
})

test("settings come from a file, and flags override them", async () => {
  const file = join(folder.path, "settings.yaml")
  writeFileSync(file, `data: ${data}\ncorpus: ${corpus}\nmodel: tiny\nbatch-size: many\n`)
  const wrong = await tandem(["dpr", "train", "--config", file, "--out", "x"])
  assert.equal(wrong.code, 2)
  assert.match(wrong.stderr, /--batch-size[\s\S]*found +many/)
  writeFileSync(file, `data: ${data}\nbathSize: 4\n`)
  const unknown = await tandem(["dpr", "train", "--config", file, "--out", "x"])
  assert.equal(unknown.code, 2)
  assert.match(unknown.stderr, /error\[UnknownFlag\] bathSize[\s\S]*did you mean batchSize\?/)
  writeFileSync(file, "- 1\n")
  assert.match((await tandem(["dpr", "train", "--config", file])).stderr, /error\[InvalidConfig\][\s\S]*a list/)
  assert.match((await tandem(["dpr", "train", "--config", `${file}.not`])).stderr, /error\[InvalidConfig\]/)

  const out = join(folder.path, "configured")
  const yaml = join(folder.path, "run.yaml")
  writeFileSync(
    yaml,
    [
      `data: [${data}]`,
      `corpus: ${corpus}`,
      "model: tiny",
      "maxSteps: 9",
      "batch-size: 4",
      "max-length: 16",
      "threads: 1",
      "tiny:",
      "  hidden: 16",
      "  heads: 2",
      "  layers: 1",
    ].join("\n"),
  )
  const trained = await tandem([
    "dpr",
    "train",
    "--config",
    yaml,
    "--out",
    out,
    "--max-steps",
    "2",
    "--tiny-intermediate",
    "32",
    "--quiet",
  ])
  assert.equal(trained.code, 0, trained.stderr)
  assert.equal(trained.stderr, "")
  const { settings } = JSON.parse(readFileSync(join(out, "config.json"), "utf8"))
  assert.equal(settings.maxSteps, 2)
  assert.equal(settings.batchSize, 4)
  assert.equal(settings.tiny.hidden, 16)
  assert.equal(settings.tiny.intermediate, 32)
})

test("train, eval and search; --json prints objects and nothing else", async () => {
  const out = join(folder.path, "run")
  const flags = smallRun(folder.path, out)
  const trained = await tandem([...flags, "--dev", data, "--epochs", "2", "--eval-every", "2", "--json"])
  assert.equal(trained.code, 0, trained.stderr)
  const events: readonly { readonly event: string; readonly step: number }[] = trained.stdout
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line))
  const names = events.map(({ event }) => event)
  assert.deepEqual([...new Set(names)].filter((name) => name !== "warning").toSorted(), [
    "baseline",
    "checkpoint",
    "done",
    "eval",
    "step",
  ])
  assert.deepEqual(
    events.filter(({ event }) => event === "step").map(({ step }) => step),
    [1, 2, 3, 4],
  )
  assert.equal(names.at(-1), "done")
  assert.match(trained.stderr, /reading data/)

  const again = await tandem(flags)
  assert.equal(again.code, 2)
  assert.match(again.stderr, /error\[Settings\].*holds a run already/)

  const evaluated = await tandem(["dpr", "eval", "--run", out, "--data", data, "--corpus", corpus, "--json"])
  assert.equal(evaluated.code, 0, evaluated.stderr)
  const metrics = JSON.parse(evaluated.stdout)
  assert.equal(metrics.n, 8)
  for (const name of ["recall@1", "recall@5", "recall@20", "mrr@10", "ndcg@10", "answerRecall@1"]) {
    assert.ok(metrics[name] >= 0 && metrics[name] <= 1, name)
  }
  assert.match(
    (await tandem(["dpr", "eval", "--run", out, "--data", data, "--corpus", corpus])).stdout,
    /^n +8\nrecall@1 +[01]\.\d{3}\n/,
  )

  const found = await tandem(["dpr", "search", "--run", out, "-k", "3", "--json", "What can one buy in Elst?"])
  assert.equal(found.code, 0, found.stderr)
  const { results } = JSON.parse(found.stdout)
  assert.equal(results.length, 3)
  assert.deepEqual(Object.keys(results[0]).toSorted(), ["id", "score", "text"])
  assert.match(
    (await tandem(["dpr", "search", "--run", out, "Elst?", "Gild?"])).stdout,
    /^Elst\?\n1\. .*\n[\s\S]*\n\nGild\?\n1\. /,
  )

  const further = join(folder.path, "further")
  const next = smallRun(folder.path, further).filter(
    (word, index, words) => !word.startsWith("--tiny") && !words[index - 1]?.startsWith("--tiny"),
  )
  const from = await tandem([
    ...next.toSpliced(next.indexOf("--model"), 2),
    "--retriever",
    out,
    "--max-steps",
    "1",
    "--quiet",
  ])
  assert.equal(from.code, 0, from.stderr)
})

test("a world: files, counts and BM25's own recall", async () => {
  const out = join(folder.path, "world")
  const { code, stdout } = await tandem(["world", "--seed", "3", "--out", out, "--json"])
  assert.equal(code, 0)
  const world = JSON.parse(stdout)
  assert.ok(world.passages >= 2000 && world.relations >= 20)
  assert.ok(world.baselines.bm25["recall@1"] > 0 && world.baselines.bm25["recall@1"] < 0.5)
  for (const file of Object.values<string>(world.files)) assert.ok(existsSync(file))
})

test("a foreign world: files and counts, and BM25 finds next to nothing", async () => {
  const out = join(folder.path, "foreign")
  const { code, stdout } = await tandem(["world", "--foreign", "--seed", "3", "--out", out, "--json"])
  assert.equal(code, 0)
  const world = JSON.parse(stdout)
  assert.deepEqual([world.passages, world.evaluationQuestions, world.unseenPhrasings], [1024, 256, 128])
  assert.ok(world.baselines.bm25["recall@1"] < 0.02)
  for (const file of Object.values<string>(world.files)) assert.ok(existsSync(file))
})

test("doctor says what the machine can do", async () => {
  const { code, stdout } = await tandem(["doctor", "--json"])
  assert.equal(code, 0)
  const machine = JSON.parse(stdout)
  assert.equal(machine.ok, true)
  assert.equal(machine.devices.cpu.usable, true)
  for (const device of [machine.devices.webgpu, machine.devices.cuda]) assert.ok(device.usable || device.reason !== "")
  assert.match(machine.onnxruntime, /^\d+\.\d+/)
  assert.match((await tandem(["doctor"])).stdout, /--device cpu +works/)
})
