import assert from "node:assert/strict"
import { readFileSync } from "node:fs"
import { test } from "node:test"
import { InvalidTokenizer } from "../../src/Errors.ts"
import { makeTokenizer } from "../../src/tokenizer/Tokenizer.ts"
import { trainWordPiece } from "../../src/tokenizer/WordPiece.ts"
import { readVocabulary, specialTokens } from "../../src/tokenizer/WordPieceFiles.ts"
import { goldenPath } from "../support/Golden.ts"

const lines = (/LINES = """\n([\s\S]*?)\n"""/.exec(readFileSync(goldenPath("tokenizer.py"), "utf8"))?.[1] ?? "").split(
  "\n",
)

const piecesOf = (files: ReturnType<typeof trainWordPiece>): readonly string[] => [
  ...makeLibraryVocabulary(files).keys(),
]
const makeLibraryVocabulary = (files: ReturnType<typeof trainWordPiece>): ReadonlyMap<string, number> => {
  const { model } = files.tokenizer
  assert.ok(typeof model === "object" && model !== null && "vocab" in model)
  const { vocab } = model
  assert.ok(typeof vocab === "object" && vocab !== null)
  return new Map(Object.entries(vocab))
}

test("frequent pairs become pieces first, ties in a fixed order", () => {
  const files = trainWordPiece(["abab abab abab", "abc"], { vocabularySize: 100, minFrequency: 2 })
  // Pairs: a+##b 4 times; then ##a+##b 3 times; then ab+##ab 3 times; ab+##c once, too rare.
  assert.deepEqual(piecesOf(files), [...specialTokens, "a", "b", "c", "##a", "##b", "##c", "ab", "##ab", "abab"])
})

test("a pair that overlaps itself is counted as it can be joined", () => {
  const files = trainWordPiece(["aaaaa aaaaa"], { vocabularySize: 100, minFrequency: 2 })
  const tokenizer = makeTokenizer(files)
  assert.ok(piecesOf(files).includes("aaaaa"))
  assert.deepEqual(tokenizer.encode("aaaaa", { specialTokens: false }).ids.length, 1)
})

test("most pieces are those of Hugging Face's trainer on the same text", () => {
  const theirs = new Set(readVocabulary(readFileSync(goldenPath("tokenizer/vocab.txt"), "utf8")))
  const long = (token: string) => [...token.replace("##", "")].length > 1 && !token.startsWith("[")
  const ours = piecesOf(trainWordPiece(lines, { vocabularySize: 400, minFrequency: 1 })).filter(long)
  const known = ours.filter((token) => theirs.has(token)).length
  assert.ok(known / ours.length > 0.8, `${known} of ${ours.length}`)
})

test("the vocabulary has the asked size, is the same in any order of texts, and encodes what it was trained on", () => {
  const files = trainWordPiece(lines, { vocabularySize: 300, minFrequency: 1 })
  assert.equal(piecesOf(files).length, 300)
  assert.deepEqual(trainWordPiece([...lines].reverse(), { vocabularySize: 300, minFrequency: 1 }), files)
  const tokenizer = makeTokenizer(files)
  const unknown = tokenizer.tokenId("[UNK]")
  for (const line of lines) assert.ok(!tokenizer.encode(line).ids.includes(unknown ?? -1), line)
  assert.ok(!tokenizer.encode("Unread words of known letters").ids.includes(unknown ?? -1))
  assert.equal(tokenizer.decode(tokenizer.encode("The first FLIGHT").ids), "the first flight")
})

test("a small vocabulary keeps the frequent characters; none at all is an error", () => {
  const files = trainWordPiece(["aaa bbb ccc ddd aaa bbb aaa"], { vocabularySize: 12 })
  assert.ok(piecesOf(files).length <= 12)
  assert.ok(piecesOf(files).includes("##a") && !piecesOf(files).includes("d"))
  assert.throws(() => trainWordPiece([], { vocabularySize: 100 }), InvalidTokenizer)
  assert.throws(() => trainWordPiece(["abc"], { vocabularySize: 3 }), InvalidTokenizer)
})
