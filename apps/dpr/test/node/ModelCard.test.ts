// The README.md of a saved encoder: front matter, figures, and code that runs as it stands.
import assert from "node:assert/strict"
import { cpSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { test } from "node:test"
import { loadEncoder } from "@tandem/models/node/LoadEncoder"
import { modelCard } from "@tandem/objectives/retrieval/ModelCard"
import { Effect } from "effect"
import { writeOwn } from "../support/FewExamples.ts"
import { golden, jsonLines, scratchFolder, start, trained } from "../support/Tandem.ts"

const scratch = scratchFolder()
const { data, corpus } = writeOwn(scratch)
const basics = ["--data", data, "--corpus", corpus, "--batch-size", "3", "--no-index"]

const block = (card: string, language: string): string => {
  const found = new RegExp(`\`\`\`${language}\\n([\\s\\S]*?)\`\`\``).exec(card)?.[1]
  assert.ok(found !== undefined, `a block of ${language}`)
  return found
}

test("a saved encoder has a card with its figures, and the code in it runs", async () => {
  const model = join(scratch, "base-model")
  cpSync(golden("sentence-transformers-tiny"), model, { recursive: true })
  writeFileSync(join(model, "README.md"), "the card of the model before")
  const run = join(scratch, "run")
  await trained(...basics, "--model", model, "--dev", data, "--epochs", "2", "--out", run)
  const card = readFileSync(join(run, "retriever/README.md"), "utf8")
  assert.match(card, /^---\nlibrary_name: sentence-transformers\npipeline_tag: sentence-similarity\ntags:\n- /)
  assert.match(card, /from the model `base-model` in \d steps/)
  assert.ok(!card.includes(scratch), "paths of this machine are nobody's business")
  assert.match(card, /\| questions \| 6 \|\n/)
  const { before, after, baselines, variants } = JSON.parse(readFileSync(join(run, "report.json"), "utf8"))
  assert.match(card, /\| {2}\| after \| before \| BM25 \| after, q8 \|\n/)
  const figures = [after, before, baselines.bm25, variants.q8].map((metrics) => metrics["recall@1"].toFixed(3))
  assert.match(card, /q8 is the model with weights of 8 bits/)
  assert.ok(card.includes(`| recall@1 | ${figures.join(" | ")} |`), card)

  const code = block(card, "js").replace("path/to/this/folder", join(run, "retriever"))
  const shown = `${code}\nprocess.stdout.write(JSON.stringify(embeddings.dims))`
  const ended = await start([process.execPath, "--input-type=module", "--eval", shown])
  assert.deepEqual([ended.code, jsonLines(ended)], [0, [[1, 32]]], ended.stderr)
  assert.match(
    block(card, "python"),
    /model = SentenceTransformer\("path\/to\/this\/folder"\)\nquestion = model\.encode/,
  )
})

test("two towers have a card each, and nothing is said about what was not measured", async () => {
  const run = join(scratch, "untied")
  await trained(...basics, "--model", golden("sentence-transformers-tiny"), "--untied", "--out", run)
  const [query, passage] = ["retriever", "passage-retriever"].map((name) =>
    readFileSync(join(run, name, "README.md"), "utf8"),
  )
  assert.match(query!, /# A dense retriever's encoder of questions\n[\s\S]*the two belong together/)
  assert.match(passage!, /# A dense retriever's encoder of passages\n[\s\S]*the two belong together/)
  assert.ok(!query!.includes("## Figures"))
})

test("a model of the hub is named as the base", async () => {
  const encoder = await Effect.runPromise(loadEncoder(golden("sentence-transformers-tiny")))
  const card = modelCard({
    base: { kind: "hub", id: "owner/model" },
    encoder,
    sides: ["query", "passage"],
    retrieval: { similarity: "dot", temperature: 1, maxLength: { query: 16, passage: 32 }, titles: undefined },
    step: 3,
    train: { rows: 2, examples: 2, droppedWithoutPositive: 0, passages: 5, answersNotInPositives: 0, withNegatives: 1 },
    systems: undefined,
  })
  assert.match(card, /\nbase_model: owner\/model\n---\n/)
  assert.match(card, /\| longest question \| 16 tokens \|\n\| longest passage \| 32 tokens \|/)
})
