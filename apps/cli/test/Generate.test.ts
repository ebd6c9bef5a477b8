import assert from "node:assert/strict"
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { after, test } from "node:test"
import { fileURLToPath } from "node:url"
import { makeFolder, tandem } from "./support/Tandem.ts"

const folder = makeFolder()
after(folder.remove)

const model = fileURLToPath(new URL("../../../test/golden/decoders/llama", import.meta.url))
const generate = ["generate", "--model", model, "--max-tokens", "6"]

test("a prompt as an argument, from a file and on standard input is answered alike, and what is drawn by its seed", async () => {
  const file = join(folder.path, "prompt.txt")
  writeFileSync(file, "the river was long\n")
  const [given, read, piped, drawn, again, searched] = await Promise.all([
    tandem([...generate, "--json", "the river was long"]),
    tandem([...generate, "--json", "--prompt-file", file]),
    tandem([...generate], undefined, { input: "the river was long\n" }),
    tandem([...generate, "--json", "--temperature", "1.5", "--seed", "3", "the river was long"]),
    tandem([...generate, "--json", "--temperature", "1.5", "--seed", "3", "the river was long"]),
    tandem([...generate, "--json", "--beams", "3", "the river was long"]),
  ])
  const answer = JSON.parse(given!.stdout)
  assert.deepEqual(Object.keys(answer), ["text", "ids", "logprobs", "score", "finish"])
  assert.equal(answer.ids.length, 6)
  assert.deepEqual(JSON.parse(read!.stdout), answer)
  assert.equal(piped!.stdout, `${answer.text}\n`)
  assert.notDeepEqual(JSON.parse(drawn!.stdout).ids, answer.ids)
  assert.equal(drawn!.stdout, again!.stdout)
  const { ids, logprobs, score } = JSON.parse(searched!.stdout)
  const sum = logprobs.reduce((total: number, each: number) => total + each, 0)
  assert.ok(Math.abs(score - sum / ids.length) < 1e-6)
})

test("several prompts are answered together, each with its prompt", async () => {
  const { code, stdout, stderr } = await tandem([...generate, "--json", "the river", "a long night"])
  assert.equal(code, 0, stderr)
  const answers = stdout
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line))
  assert.deepEqual(
    answers.map(({ prompt }) => prompt),
    ["the river", "a long night"],
  )
})

for (const [name, args, expected] of [
  [
    "a flag of drawing beside beams",
    ["--beams", "2", "--top-k", "3", "x"],
    /error\[FlagWithoutEffect\] --top-k has no effect/,
  ],
  ["a seed where nothing is drawn", ["--seed", "3", "x"], /error\[FlagWithoutEffect\] --seed has no effect/],
  ["no prompt", [], /error\[MissingFlag\] no prompt came on standard input/],
  ["two sources of a prompt", ["--prompt-file", "p", "x"], /error\[FlagWithoutEffect\] --prompt-file has no effect/],
] as const) {
  test(`${name} is refused before a model is read`, async () => {
    const { code, stderr } = await tandem([...generate, ...args])
    assert.equal(code, 2)
    assert.match(stderr, expected)
  })
}

test("a system text needs a chat template", async () => {
  const { code, stderr } = await tandem([...generate, "--system", "Be brief.", "x"])
  assert.equal(code, 3)
  assert.match(stderr, /error\[InvalidPrompt\] the tokenizer has no chat template/)
})
