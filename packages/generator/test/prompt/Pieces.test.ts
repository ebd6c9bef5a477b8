import assert from "node:assert/strict"
import { readFileSync } from "node:fs"
import { describe, it } from "node:test"
import { makeTokenizer } from "@tandem/models"
import { makePrompts, ragTemplate } from "../../src/index.ts"

interface Case {
  readonly query: string
  readonly contexts: readonly string[]
  readonly answer: string
  readonly whole: readonly number[]
  readonly pieces: readonly (readonly number[])[]
}

interface Kind {
  readonly tokenizer: Readonly<Record<string, unknown>>
  readonly config: Readonly<Record<string, unknown>>
  readonly end: number
  readonly cases: Readonly<Record<string, Case>>
}

const golden: { readonly template: string; readonly kinds: Readonly<Record<string, Kind>> } = JSON.parse(
  readFileSync(new URL("../../../../test/golden/prompts.json", import.meta.url), "utf8"),
)

/** Prompt and answer of every case, with the tokens of the whole text. */
const joined = ({ tokenizer, config, end, cases }: Kind) => {
  const prompts = makePrompts(
    { tokenizer: makeTokenizer({ tokenizer, config }), endTokenIds: [end], maxLength: 512 },
    { template: ragTemplate(golden.template) },
  )
  return Object.entries(cases).map(([name, one]) => {
    const { ids, cut } = prompts.prompt(
      one.query,
      one.contexts.map((text) => ({ text })),
    )
    assert.equal(cut, 0)
    const answer = prompts.answer(one.answer).ids
    assert.equal(answer.at(-1), end)
    return { ...one, name, ids: [...ids, ...answer.slice(0, -1)] }
  })
}

/** What the tokenizer puts in front of a text; a decoder's prompt has nothing put behind it. */
const first: Readonly<Record<string, readonly number[]>> = {
  "byte fallback, Llama 2's normalizer": [1],
  "byte fallback, Metaspace at the start": [1],
  "byte fallback, no prefix": [1],
  WordPiece: [2],
}

/** What the tokenizer puts behind a whole text. */
const last: Readonly<Record<string, readonly number[]>> = { "Unigram, Metaspace": [1], WordPiece: [3] }

describe("pieces that are tokenized apart and joined", () => {
  for (const [kind, one] of Object.entries(golden.kinds)) {
    it(`${kind}: are those of the tokenizers library, behind the first tokens of a text`, () => {
      for (const { ids, pieces, name } of joined(one)) {
        assert.deepEqual(ids, [...(first[kind] ?? []), ...pieces.flat()], name)
      }
    })
  }

  const everywhere = Object.keys(Object.values(golden.kinds)[0]!.cases)
  const differs: Readonly<Record<string, readonly string[]>> = {
    "byte-level, GPT-2's words": [],
    // A mark and the line ends behind it are one token there.
    "byte-level, Qwen's words": [
      "a passage with a full stop",
      "two passages",
      "no passage",
      "an answer that begins with a line end",
    ],
    // Every piece begins with a low line.
    "byte fallback, Llama 2's normalizer": everywhere,
    "byte fallback, Metaspace at the start": everywhere,
    "byte fallback, no prefix": [],
    "Unigram, Metaspace": everywhere,
    // White space is no token.
    WordPiece: [],
  }
  for (const [kind, one] of Object.entries(golden.kinds)) {
    it(`${kind}: differ from the whole text's tokens in ${differs[kind]?.length} of ${everywhere.length} cases`, () => {
      const found = joined(one).filter(({ ids, whole }) => [...ids, ...(last[kind] ?? [])].join() !== whole.join())
      assert.deepEqual(
        found.map(({ name }) => name),
        differs[kind],
      )
    })
  }
})
