import assert from "node:assert/strict"
import { test } from "node:test"
import { Effect } from "effect"
import {
  type Check,
  conversationVerifier,
  findByBm25,
  roundTrip,
  type Turn,
  type VerifyOptions,
} from "../../src/index.ts"
import { abstains } from "../../src/verify/Abstention.ts"
import { comparedText, standsIn, wordCount } from "../../src/verify/ComparedText.ts"
import { blockQuotations, quotationsOf } from "../../src/verify/Quotations.ts"
import { citationsIn, isNameOf } from "../../src/verify/SourceNames.ts"
import { breaksOff } from "../../src/verify/Truncation.ts"
import { chunkOf, turnsOf } from "../support/Conversations.ts"

const stands = (quote: string, text: string): boolean =>
  standsIn(
    quote.split("…").map((part) => comparedText(part)),
    comparedText(text),
  )

test("quotations are compared by their words, whatever stands between them", () => {
  assert.ok(stands("the well-known rule", "It is the *well-\nknown*  rule."))
  assert.ok(stands("an example of it", "an exam-\nple of it"))
  assert.ok(stands("1,200 euros", "at 1 200 euros"))
  assert.ok(stands("ﬁnal oﬀer", "the final offer"))
  assert.ok(stands("Zwölf … Straße", "Zwölf Jahre in der Straße"))
  assert.ok(stands("室温", "要等它回到室温"))
  assert.ok(!stands("rapist", "the therapist"))
  assert.ok(!stands("3.5 bar", "35 bar"))
  assert.ok(!stands("second … first", "first and second"))
  assert.ok(!stands("fort", "a comfort to all"))
  assert.equal(wordCount("要等它回到"), 3)
})

test("quotation marks of several languages; apostrophes, inches and code are none", () => {
  const texts = (text: string) => quotationsOf(text).quotations.map((quotation) => quotation.text.trim())
  assert.deepEqual(texts("“a b” and „c d“ and »e f« and « g h » and ‚i j‘"), ["a b", "c d", "e f", "g h", "i j"])
  assert.deepEqual(texts("「あ」と『い』"), ["あ", "い"])
  assert.deepEqual(texts("It's the users' file; don't call it 'the old one'."), ["the old one"])
  assert.deepEqual(texts('A 4" pipe, and "a 5 inch one" here'), ["a 5 inch one"])
  assert.deepEqual(texts('Write `name = "x y z"` there.\n```\nsay("no no no")\n```'), [])
  assert.deepEqual(texts("“it’s the users’ own”"), ["it’s the users’ own"])
  assert.deepEqual(
    blockQuotations("As it says:\n\n> one\n> two\n> — The author\n\nThen:\n> three").map(({ text }) => text.trim()),
    ["one\ntwo", "three"],
  )
  assert.ok(quotationsOf("it says: “and so").isOpen)
  assert.ok(!quotationsOf("one “open\n\nanother paragraph").isOpen)
})

test("names of sources: by path, file, stem or words; pages are none", () => {
  const names = (text: string) => citationsIn(text).map(({ name }) => name)
  assert.deepEqual(names("See [a/pump-hp.pdf] and [2, 3]."), ["a/pump-hp.pdf", "[2]", "[3]"])
  assert.deepEqual(names("(source: Travel policy, p. 3)"), ["Travel policy"])
  assert.deepEqual(names("Quelle: „Handbuch Heizung“"), ["Handbuch Heizung"])
  assert.deepEqual(names("a [link](x) and a list[0] of arr[i]"), ["[0]"])
  assert.ok(isNameOf("HP40.PDF", "manuals/hp40.pdf"))
  assert.ok(isNameOf("travel expenses", "policies/travel-expenses-2024.docx"))
  assert.ok(isNameOf("the manual", "manuals/hp40.pdf"))
  assert.ok(isNameOf("Storage", "manuals/hp40.pdf", "Storage and care"))
  assert.ok(!isNameOf("hp40.docx", "manuals/hp40.pdf"))
  assert.ok(!isNameOf("Annual report", "manuals/hp40.pdf"))
})

test("what ends is told from what breaks off", () => {
  const whole = [
    "Paris",
    "It rained all day, as the text says [weather.md].",
    "The level is 3.5 bar. (source: pump.pdf)",
    "He said: “It is done.”",
    "Steps:\n\n1. Close the valve\n2. Open the vent",
    "- one is fine.\n- so is two.",
    "| a | b |\n| - | - |\n| 1 | 2 |",
    "```sh\nls\n```",
    "Write `max = 0`",
    "Good luck! 🙂",
    "はい。三日前までです。",
    "ใช่ครับ เปิดทุกวันตั้งแต่เช้าจนถึงเย็น",
    "यह तीन दिन चलता है।",
    "See https://example.org/a-long/address/of-a-page",
  ]
  for (const text of whole) assert.equal(breaksOff(text), undefined, text)
  const cut = [
    "The pump has to be primed before it is",
    "It rained all day, and then the wind turned to the north and brought sno",
    "First of all,",
    "There are two of them:",
    "1. Close the valve.\n2. Open the vent.\n3. Wait unt",
    "1. Close the valve.\n2.",
    "He said: “It is done",
    "It holds (as the manual",
    "```sh\nls",
    "はい。三日前まで",
  ]
  for (const text of cut) assert.notEqual(breaksOff(text), undefined, text)
})

test("abstentions in many languages; what only sounds like one is none", () => {
  const none = [
    "I don't know.",
    "The passages do not mention it.",
    "That isn't covered in the texts.",
    "I can't answer that.",
  ]
  const others = [
    "Das weiß ich leider nicht.",
    "Je ne sais pas.",
    "No lo sé.",
    "Non lo so.",
    "Não sei.",
    "Я не знаю.",
    "我不知道。",
  ]
  for (const text of [...none, ...others, "わかりません。", "알 수 없습니다.", "Dat weet ik niet."])
    assert.ok(abstains(text), text)
  for (const text of [
    "It opens at nine.",
    "No dogs are allowed.",
    "Nein, das kostet drei Euro.",
    "Oui, à neuf heures.",
  ])
    assert.ok(!abstains(text), text)
})

const manual = chunkOf("c1", "manual.md", "Fill the pump with 12 litres of water before its first start in spring.")
const other = chunkOf("c2", "other.md", "Chunk 2 of the ground truth is noisy, says the paper.")
const checksOf = (
  turns: readonly Turn[],
  {
    failed = false,
    shown = [manual],
    ...options
  }: VerifyOptions & { failed?: boolean; shown?: readonly (typeof manual)[] } = {},
): readonly Check[] =>
  conversationVerifier(options)({ item: { key: "k", chunk: manual, shown, failed }, turns }).map(({ check }) => check)

test("each check by itself, and what switches it off", () => {
  const good = turnsOf("How much water?", "“Fill the pump with 12 litres of water” [manual.md].")
  assert.deepEqual(checksOf(good), [])
  assert.deepEqual(checksOf(good, { shown: [other] }), [
    "leaked-context",
    "invented-quote",
    "unknown-source",
    "uncited",
  ])
  assert.deepEqual(checksOf(turnsOf("How much?", "Twelve litres.")), ["uncited"])
  assert.deepEqual(checksOf(turnsOf("How much?", "Twelve litres."), { citations: false }), [])
  const invented = turnsOf("How much?", "It says “fill it with 13 litres” [manual.md].")
  assert.deepEqual(checksOf(invented), ["invented-quote"])
  assert.deepEqual(checksOf(invented, { quotes: false }), [])
  // What the user said may be quoted, and what a shown chunk says is no leak.
  assert.deepEqual(checksOf(turnsOf("Is it 40 litres then?", "You ask “is it 40 litres”; it is 12 [manual.md].")), [])
  const noisy = turnsOf("What is noisy?", "The ground truth of chunk 2 [other.md].")
  assert.deepEqual(checksOf(noisy, { shown: [manual, other] }), [])
  assert.deepEqual(checksOf(noisy), ["leaked-prompt", "unknown-source", "uncited"])
  assert.deepEqual(checksOf(turnsOf("How much?", "It is 12 [manual.md].".repeat(30)), { maxCharacters: 100 }), [
    "turns",
  ])
})

test("a failed retrieval is checked for leaks, and for abstention where that is asked for", () => {
  const memory = turnsOf("How much?", "A few litres will do for most pumps.")
  assert.deepEqual(checksOf(memory, { failed: true, shown: [other] }), [])
  assert.deepEqual(checksOf(memory, { failed: true, shown: [other], failureBehavior: "abstain" }), ["not-abstaining"])
  assert.deepEqual(checksOf(memory, { failed: true, shown: [manual] }), ["leaked-context"])
  const known = turnsOf("How much?", "I don't know, but 12 litres of water is common.")
  const telling = chunkOf("c3", "third.md", "Somebody else also took 12 litres of water for a bath and was late.")
  assert.deepEqual(checksOf(known, { failed: true, shown: [telling] }), ["leaked-context"])
  assert.deepEqual(checksOf(known, { failed: true, shown: [other], failureBehavior: "abstain" }), ["not-abstaining"])
})

test("a question has to find its chunk", async () => {
  const find = findByBm25([manual, other])
  const ask = (text: string, k: number) =>
    Effect.runPromise(
      roundTrip(find, { k })({
        item: { key: "k", chunk: manual, shown: [manual], failed: false },
        turns: turnsOf(text, "Yes."),
      }),
    )
  assert.deepEqual(await ask("How much water does the pump need?", 1), [])
  assert.deepEqual(
    (await ask("What does the paper say is noisy?", 1)).map(({ check }) => check),
    ["not-retrieved"],
  )
})
