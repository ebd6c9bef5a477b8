import assert from "node:assert/strict"
import { readFileSync } from "node:fs"
import { describe, it } from "node:test"
import { makeTokenizer, type Tokenizer, trainWordPiece } from "@tandem/models"
import { chatTemplateOf, type Message } from "../../src/index.ts"

interface Case {
  readonly case: string
  readonly messages: readonly Message[]
  readonly addGenerationPrompt: boolean
  readonly variables: Readonly<Record<string, unknown>>
  readonly text?: string
  readonly refused?: string
}

const folder = new URL("../../../../test/golden/chat-templates/", import.meta.url)
const textOf = (name: string): string => readFileSync(new URL(name, folder), "utf8")
const golden: {
  readonly models: Readonly<
    Record<string, { readonly tokens: Readonly<Record<string, string>>; readonly cases: readonly Case[] }>
  >
} = JSON.parse(textOf("golden.json"))

const { tokenizer: words } = trainWordPiece(["the river was long"], { vocabularySize: 40 })
const withConfig = (config: Readonly<Record<string, unknown>>, chatTemplate?: string): Tokenizer =>
  makeTokenizer({ tokenizer: words, config, ...(chatTemplate === undefined ? {} : { chatTemplate }) })
const now = new Date("2026-03-05T14:07:09Z")
const user = [{ role: "user", content: "how long?" }]

for (const [name, { tokens, cases }] of Object.entries(golden.models)) {
  describe(`the chat template of ${name}`, () => {
    const template = chatTemplateOf(withConfig(tokens, textOf(`${name}.jinja`)))
    for (const one of cases) {
      it(`${one.case}: what transformers renders, byte for byte`, () => {
        const { messages, addGenerationPrompt, variables } = one
        const render = () => template?.render(messages, { addGenerationPrompt, variables, now })
        if (one.refused === undefined) assert.equal(render(), one.text)
        else {
          assert.throws(render, {
            _tag: "InvalidPrompt",
            file: "chat_template.jinja",
            message: `the chat template refuses the conversation: ${one.refused}`,
          })
        }
      })
    }
  })
}

describe("chatTemplateOf", () => {
  const render = (tokenizer: Tokenizer, name?: string) =>
    chatTemplateOf(tokenizer, name === undefined ? {} : { name })?.render(user)

  it("takes the file before the config, and of named ones the default or that of a name", () => {
    const named = [
      { name: "default", template: "plain {{ messages[0].content }}" },
      { name: "rag", template: "rag {{ eos_token }}" },
      { template: "nameless" },
    ]
    assert.equal(render(withConfig({ chat_template: "in the config" })), "in the config")
    assert.equal(render(withConfig({ chat_template: "in the config" }, "in a file")), "in a file")
    assert.equal(render(withConfig({ chat_template: named })), "plain how long?")
    assert.equal(render(withConfig({ chat_template: named, eos_token: { content: "</s>" } }), "rag"), "rag </s>")
    assert.equal(chatTemplateOf(withConfig({})), undefined)
    assert.throws(() => render(withConfig({ chat_template: named }), "tool_use"), {
      _tag: "InvalidPrompt",
      expected: "default, rag",
      found: "tool_use",
    })
  })

  it("names file and reason where a template cannot be read or rendered", () => {
    const broken = { _tag: "InvalidTemplate", file: "tokenizer_config.json" }
    for (const text of [
      "{% if %}",
      "{{ 'a }}",
      "{% for m in messages %}",
      "{{ nobody() }}",
      "{{ messages | nothing }}",
    ]) {
      assert.throws(() => render(withConfig({ chat_template: text })), broken, text)
    }
  })

  it("gives a template's months and days in English, whatever the machine's language", () => {
    const format = "%A %a %d %-d %B %b %Y %y %H %I %M %S %p %j %q %%"
    const template = chatTemplateOf(withConfig({ chat_template: `{{ strftime_now('${format}') }}` }))
    assert.equal(template?.render(user, { now }), "Thursday Thu 05 5 March Mar 2026 26 14 02 07 09 PM 064 %q %")
  })

  const costly: Readonly<Record<string, string>> = {
    "a long text": " ".repeat(2 ** 18 + 1),
    "loops in loops": "{% for a in range(9999) %}{% for b in range(9999) %}{{ a }}{% endfor %}{% endfor %}",
    "a long loop": "{% for a in range(99999999999) %}{% endfor %}",
    "a range without end": "{% for a in range(0, 1, 0) %}{% endfor %}",
    "a value that doubles":
      "{% set n = namespace(x='aa') %}{% for a in range(60) %}{% set n.x = n.x + n.x %}{% endfor %}",
    "a list that doubles":
      "{% set n = namespace(x=[1]) %}{% for a in range(60) %}{% set n.x = n.x + n.x %}{% endfor %}",
    "a function of itself": "{% macro f(x) %}{{ f(x) }}{% endmacro %}{{ f(1) }}",
    "deep brackets": `{{ ${"(".repeat(99_999)}1${")".repeat(99_999)} }}`,
  }
  for (const [name, text] of Object.entries(costly)) {
    it(`bounds what a template may cost: ${name}`, () => {
      assert.throws(() => render(withConfig({ chat_template: text })), { _tag: "InvalidTemplate" })
    })
  }

  it("shows a template nothing but what it is given", () => {
    for (const name of ["constructor", "__proto__", "process", "globalThis", "toString"]) {
      const text = `{{ messages.${name} is defined }} {{ messages[0]['${name}'] is defined }} {{ ${name} is defined }}`
      assert.equal(render(withConfig({ chat_template: text })), "false false false", name)
    }
  })
})
