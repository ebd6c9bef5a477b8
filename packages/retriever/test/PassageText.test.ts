import assert from "node:assert/strict"
import { describe, it } from "node:test"
import type { Encoder } from "@tandem/models"
import { defaultTitles, encodeInput, renderText } from "../src/PassageText.ts"
import { smallEncoder } from "./support/Encoders.ts"

const encoder = smallEncoder(1)
const dpr: Encoder = {
  ...encoder,
  source: { ...encoder.source, huggingFace: { model_type: "dpr" } },
}
const passage = { title: "the mill", text: "grinds corn" }
const { tokenizer } = encoder

describe("encodeInput", () => {
  it("gives DPR [CLS] title [SEP] text [SEP] with segment ids of 0", () => {
    assert.equal(defaultTitles(dpr), "pair")
    const { ids, types } = encodeInput(dpr, passage, "passage")
    const [cls, sep] = [tokenizer.tokenId("[CLS]")!, tokenizer.tokenId("[SEP]")!]
    const plain = (text: string) => tokenizer.encode(text, { specialTokens: false }).ids
    assert.deepEqual(ids, [cls, ...plain("the mill"), sep, ...plain("grinds corn"), sep])
    assert.ok(types.every((type) => type === 0))
  })

  it("leaves titles out for other encoders, or puts them before the text where asked to", () => {
    assert.equal(defaultTitles(encoder), "none")
    assert.deepEqual(encodeInput(encoder, passage, "passage"), tokenizer.encode("grinds corn"))
    assert.deepEqual(
      encodeInput(encoder, passage, "passage", { titles: "prefix" }),
      tokenizer.encode("the mill grinds corn"),
    )
  })

  it("takes the text alone where there is no title", () => {
    for (const titles of ["pair", "prefix", "none"] as const) {
      for (const input of ["grinds corn", { text: "grinds corn" }, { text: "grinds corn", title: "" }]) {
        assert.deepEqual(encodeInput(dpr, input, "passage", { titles }), tokenizer.encode("grinds corn"))
      }
    }
  })

  it("cuts a pair to the maximum length and counts what it cut", () => {
    const long = { title: "the mill", text: "corn ".repeat(50) }
    const { ids, cut } = encodeInput(dpr, long, "passage", { maxLength: 16 })
    assert.equal(ids.length, 16)
    assert.equal(ids.at(-1), tokenizer.tokenId("[SEP]"))
    assert.equal(cut, encodeInput(dpr, long, "passage").ids.length + encodeInput(dpr, long, "passage").cut - 16)
  })
})

describe("renderText", () => {
  it("puts the prompt of its kind before everything else", () => {
    const prompted = { ...encoder, prompts: { query: "query: ", passage: "passage: " } }
    assert.equal(renderText(prompted, "who grinds corn", "query", "none"), "query: who grinds corn")
    assert.equal(renderText(prompted, passage, "passage", "none"), "passage: grinds corn")
    assert.equal(renderText(prompted, passage, "passage", "prefix"), "passage: the mill grinds corn")
    assert.deepEqual(renderText(prompted, passage, "passage", "pair"), ["passage: the mill", "grinds corn"])
  })
})
