import assert from "node:assert/strict"
import { describe, it } from "node:test"
import { makeTokenizer } from "@tandem/models"
import { type ChatTurns, chatTemplateOf, defaultChat, InvalidPrompt, makePrompts } from "../../src/index.ts"
import { chatModels, chatting } from "../support/Chatting.ts"

const query = "How long was the river?"
const passages = [{ title: "The river", text: "It was long — «1,250 km» 🚀." }, { text: "The sea was far." }]
const now = new Date("2024-07-26T00:00:00Z")

describe("prompts that are conversations", () => {
  for (const name of chatModels) {
    it(`${name}: are the chat template's text, without a first token of the tokenizer's own`, () => {
      const tokenizer = chatting(name)
      const model = { tokenizer, endTokenIds: [301], maxLength: 4096 }
      const prompts = makePrompts(model, { template: defaultChat, maxPrompt: 4000 })
      const messages = prompts.text(query, passages)
      assert.ok(typeof messages !== "string" && messages.length === 1)
      const rendered = chatTemplateOf(tokenizer)?.render(messages, { now })
      const { ids, cut, contexts } = prompts.prompt(query, passages)
      assert.equal(tokenizer.decode(ids), rendered)
      assert.deepEqual([cut, contexts], [0, 2])
      const beginning = rendered?.slice(0, rendered.indexOf("The river\n")) ?? ""
      const head = tokenizer.encode(beginning, { specialTokens: false }).ids
      assert.deepEqual(prompts.prompt(query, passages.slice(1)).ids.slice(0, head.length), head)
    })
  }

  it("end answers with what the template writes behind one, if the model ends texts with it", () => {
    const end = (name: string, endTokenIds: readonly number[]) => {
      const tokenizer = chatting(name)
      const { endTokenId = -1 } = makePrompts({ tokenizer, endTokenIds, maxLength: 4096 }, { template: defaultChat })
      return tokenizer.decode([endTokenId]) || endTokenId
    }
    const all = [0, 301, 302, 303, 304, 305]
    assert.equal(end("phi-3.5", all), "<|end|>")
    assert.equal(end("phi-3.5", [301, 0]), 0)
    assert.equal(end("gemma-2", all), "<end_of_turn>")
    assert.equal(end("llama-3.2", all), "<|eot_id|>")
    assert.equal(end("mistral-nemo", all), "</s>")
    assert.equal(end("qwen3", all), "<|im_end|>")
  })

  it("take a system's turn, variables and a day, and refuse what the template refuses", () => {
    const text = (name: string, template: ChatTurns): string => {
      const tokenizer = chatting(name)
      const prompts = makePrompts({ tokenizer, endTokenIds: [], maxLength: 4096 }, { template })
      return tokenizer.decode(prompts.prompt(query, []).ids)
    }
    const chat = { ...defaultChat, system: "be short" }
    assert.match(text("qwen3", chat), /^<\|im_start\|>system\nbe short<\|im_end\|>\n[\s\S]*assistant\n$/)
    assert.match(text("qwen3", { ...chat, variables: { enable_thinking: false } }), /<think>\n\n<\/think>\n\n$/)
    assert.match(text("llama-3.2", chat), /Today Date: 26 Jul 2024/)
    assert.match(text("llama-3.2", { ...chat, date: "2026-03-05" }), /Today Date: 05 Mar 2026/)
    assert.throws(() => text("gemma-2", chat), InvalidPrompt)
    const twice = makeTokenizer({ ...chatting("qwen3").files, chatTemplate: "{{ messages[0].content * 1 }}" })
    assert.throws(() => makePrompts({ tokenizer: twice, endTokenIds: [], maxLength: 999 }, { template: defaultChat }))
    const silent = makeTokenizer({ ...twice.files, chatTemplate: "{{ messages | length }}" })
    assert.throws(
      () => makePrompts({ tokenizer: silent, endTokenIds: [], maxLength: 999 }, { template: defaultChat }),
      {
        _tag: "InvalidPrompt",
        file: "chat_template.jinja",
        found: "none",
      },
    )
  })
})
