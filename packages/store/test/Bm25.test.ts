import assert from "node:assert/strict"
import { test } from "node:test"
import { Bm25, InvalidRequestError } from "@tandem/store"

const passages = [
  { id: "hawk", title: "Kitty Hawk", text: "The Wright brothers flew here in 1903." },
  { id: "boat", text: "The steamboat crossed the lake. The lake was calm." },
  { id: "twin", text: "Quiet lake" },
  { id: "same", text: "Quiet lake" },
]

const ids = (query: string, k = 10) =>
  Bm25.make(passages)
    .search(query, k)
    .map(({ id }) => id)

test("a single term's score is BM25+'s formula, with a text's length counted in distinct terms", () => {
  const index = Bm25.make(
    ["a b", "a a c d", "e"].map((text, i) => ({ id: `${i}`, text })),
    { k: 1.5, b: 0.6, d: 0.4 },
  )
  const score = (frequency: number, length: number) =>
    Math.log(1 + (3 - 2 + 0.5) / (2 + 0.5)) *
    (0.4 + (frequency * 2.5) / (frequency + 1.5 * (1 - 0.6 + (0.6 * length) / ((2 + 3 + 1) / 3))))
  assert.deepEqual(index.search("a", 5), [
    { id: "1", score: score(2, 3) },
    { id: "0", score: score(1, 2) },
  ])
})

test("title and text count, case does not, and a query is the disjunction of its terms", () => {
  assert.deepEqual(ids("KITTY"), ["hawk"])
  assert.deepEqual(ids("calm 1903?").sort(), ["boat", "hawk"])
  assert.deepEqual(ids("nothing of it"), [])
  assert.deepEqual(ids("?!"), [])
})

test("no prefixes, no fuzzy matches, no stemming", () => {
  assert.deepEqual(ids("kit"), [])
  assert.deepEqual(ids("lakes"), [])
  assert.deepEqual(ids("kittz"), [])
})

test("tokens are runs of Unicode letters, marks and digits", () => {
  assert.deepEqual(Bm25.bm25Tokens("Don't—Ünter 3.5 हिन्दी"), ["don", "t", "ünter", "3", "5", "हिन्दी"])
})

test("equal scores keep the order of the passages, and k bounds the result", () => {
  assert.deepEqual(ids("quiet lake"), ["twin", "same", "boat"])
  assert.deepEqual(ids("quiet lake", 2), ["twin", "same"])
  assert.deepEqual(ids("lake", 1), ids("lake").slice(0, 1))
})

test("no passages, an object's property names as words, and a k that makes no sense", () => {
  assert.deepEqual(Bm25.make([]).search("a", 3), [])
  const index = Bm25.make([{ id: "o", text: "the constructor and __proto__ of toString" }])
  assert.equal(index.search("constructor __proto__", 3).length, 1)
  assert.throws(() => index.search("a", 0), InvalidRequestError)
})

test("scripts without spaces are read as pairs of neighbouring characters, all else as ever", () => {
  const cases: readonly (readonly [string, readonly string[]])[] = [
    ["Don't pay $5.00", ["don", "t", "pay", "5", "00"]],
    ["Ærøskøbing naïve", ["ærøskøbing", "naïve"]],
    ["서울은 한국의 수도", ["서울은", "한국의", "수도"]],
    ["東京タワーは1958年", ["東京", "京タ", "タワ", "ワー", "ーは", "1958", "年"]],
    ["ﾀﾜｰ", ["タワ", "ワー"]],
    ["山", ["山"]],
    ["iPhoneを買う", ["iphone", "を買", "買う"]],
    ["ตกลงที่", ["ตก", "กล", "ลง", "งที่"]],
  ]
  for (const [text, tokens] of cases) assert.deepEqual(Bm25.bm25Tokens(text), tokens, text)
})

test("a question in Chinese, Japanese, Thai or Burmese finds its passage first", () => {
  const corpora: readonly (readonly [string, readonly string[]])[] = [
    ["黄河发源于哪里", ["黄河是中国第二长河，发源于青海省。", "长城东起山海关，西至嘉峪关。", "故宫始建于1406年。"]],
    [
      "東京タワーはいつ完成しましたか",
      ["東京タワーは1958年に完成した電波塔である。", "富士山は日本で最も高い山である。"],
    ],
    ["เมืองหลวงของไทยคืออะไร", ["กรุงเทพมหานครเป็นเมืองหลวงของประเทศไทย", "แม่น้ำโขงยาวมาก"]],
    ["မြန်မာနိုင်ငံ၏မြို့တော်", ["နေပြည်တော်သည်မြန်မာနိုင်ငံ၏မြို့တော်ဖြစ်သည်", "ဧရာဝတီမြစ်"]],
  ]
  for (const [query, texts] of corpora) {
    const index = Bm25.make(texts.map((text, at) => ({ id: `${at}`, text })))
    assert.equal(index.search(query, 1)[0]?.id, "0", query)
  }
})
