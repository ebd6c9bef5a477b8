// Simulated retrieval over SQuAD's paragraphs, whose answers are known. Needs $TANDEM_DATA/squad.
import assert from "node:assert/strict"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { test } from "node:test"
import { Effect, Stream } from "effect"
import { type Chunk, simulateRetrieval } from "../../src/index.ts"

interface Paragraph {
  readonly context: string
  readonly qas: readonly { readonly answers: readonly { readonly text: string }[] }[]
}

const read = () => {
  const root = process.env["TANDEM_DATA"]
  assert.ok(root, "TANDEM_DATA is not set: point it at the folder that holds squad/")
  const { data }: { data: readonly { title: string; paragraphs: readonly Paragraph[] }[] } = JSON.parse(
    readFileSync(join(root, "squad", "train.json"), "utf8"),
  )
  const chunks: Chunk[] = []
  const answers = new Map<string, readonly string[]>()
  for (const { title, paragraphs } of data) {
    let start = 0
    for (const [index, { context, qas }] of paragraphs.entries()) {
      const id = `${title}#${index}`
      chunks.push({ id, source: title, document: title, index, text: context, start, end: start + context.length })
      // An answer of a few letters stands in any text by chance.
      const texts = qas.flatMap((qa) => qa.answers.map(({ text }) => text)).filter((text) => text.length >= 4)
      answers.set(id, [...new Set(texts)])
      start += context.length + 2
    }
  }
  return { chunks, answers }
}

const words = (text: string) => text.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? []

/** Jaccard's index of the texts' runs of three words. */
const likeness = (a: string, b: string): number => {
  const runs = (text: string) => {
    const all = words(text)
    return new Set(all.map((_, at) => all.slice(at, at + 3).join(" ")))
  }
  const [first, second] = [runs(a), runs(b)]
  const shared = [...first].filter((run) => second.has(run)).length
  return shared / (first.size + second.size - shared)
}

/** As many runs over all paragraphs as 5,000 items take. */
const seeds = [11037, 1, 2]

for (const mode of ["random", "hard"] as const) {
  test(`5,000 ${mode} items of SQuAD: failed contexts leak nothing, the others hold the true chunk`, async () => {
    const { chunks, answers } = read()
    const answersOf = ({ id }: Chunk) => answers.get(id) ?? []
    const runs = await Promise.all(
      seeds.map((seed) => Effect.runPromise(Stream.runCollect(simulateRetrieval(chunks, { seed, mode, answersOf })))),
    )
    const items = runs.flat()
    assert.ok(items.length >= 5000, `${items.length}`)
    let failures = 0
    for (const { chunk, shown, failed } of items) {
      if (!failed) {
        assert.ok(shown.includes(chunk))
        continue
      }
      failures += 1
      for (const other of shown) {
        for (const answer of answersOf(chunk)) assert.ok(!other.text.includes(answer), answer)
        assert.ok(likeness(chunk.text, other.text) < 0.2, `${chunk.id} and ${other.id}`)
        assert.ok(other.source !== chunk.source || Math.abs(other.index - chunk.index) > 1)
      }
    }
    assert.ok(Math.abs(failures / items.length - 0.4) < 0.03, `${failures}`)
  })
}
