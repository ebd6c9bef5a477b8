import assert from "node:assert/strict"
import { describe, it } from "node:test"
import {
  defaultChat,
  defaultTemplate,
  InvalidTemplate,
  ragPromptJson,
  ragTemplate,
  readRagPrompt,
} from "../../src/index.ts"

/** The error that a template's text ends in. */
const refused = (text: string): InvalidTemplate => {
  try {
    ragTemplate(text, "t.txt")
  } catch (error) {
    if (error instanceof InvalidTemplate) return error
    throw error
  }
  return assert.fail(`taken: ${text}`)
}

describe("ragTemplate", () => {
  it("takes texts with the three placeholders and braces of other kinds", () => {
    const text = 'json {"a": {1}} {} {{ {a b} {query}\n{context} {response}\n</response>\n'
    assert.deepEqual(ragTemplate(text), { kind: "text", text })
    assert.deepEqual(ragTemplate(`\uFEFF${text.replaceAll("\n", "\r\n")}`), { kind: "text", text })
    assert.deepEqual(ragTemplate(defaultTemplate.text), defaultTemplate)
  })

  it("names file, line, what is expected and what is found", () => {
    const fields = (text: string) => {
      const { message, file, line, expected, found } = refused(text)
      return { message, file, line, expected, found }
    }
    assert.deepEqual(fields("a\n{query}\n{question} {context}\n{response}"), {
      message: "an unknown placeholder stands in line 3 of t.txt",
      file: "t.txt",
      line: 3,
      expected: "{query}, {context}, {response}",
      found: "{question}",
    })
    assert.deepEqual(fields("{query}\n\n{context}{query}\n{response}"), {
      message: "a placeholder stands a second time in line 3 of t.txt",
      file: "t.txt",
      line: 3,
      expected: "one {query}",
      found: "{query}",
    })
    assert.deepEqual(fields("{query}\n{response}"), {
      message: "a placeholder is missing in t.txt",
      file: "t.txt",
      line: undefined,
      expected: "{context}",
      found: "{query}, {response}",
    })
    assert.deepEqual(fields("{query}\n{response}\n{context}"), {
      message: "{response} is not the last placeholder of t.txt",
      file: "t.txt",
      line: 2,
      expected: "{query} and {context}, and behind them {response}",
      found: "{query}, {response}, {context}",
    })
    assert.equal(refused("").found, "none")
  })
})

describe("rag.json", () => {
  const lengths = { maxPrompt: 512, maxAnswer: 32 }
  const chat = {
    ...defaultChat,
    system: "be short",
    passage: "{title}: {text}",
    variables: { enable_thinking: false },
    date: "2025-01-31",
  }

  it("is read back as it was written", () => {
    for (const template of [defaultTemplate, { ...defaultTemplate, passage: "{text}" }, defaultChat, chat]) {
      const json = ragPromptJson({ template, ...lengths })
      assert.equal(json["format"], 1)
      assert.deepEqual(readRagPrompt(JSON.parse(JSON.stringify(json))), { template, ...lengths })
    }
  })

  it("is refused where something is missing, unknown or no template", () => {
    const good = { format: 1, template: chat, ...lengths }
    readRagPrompt(good)
    for (const [name, json] of Object.entries({
      "another format": { ...good, format: 2 },
      "no length": { ...good, maxPrompt: undefined },
      "a length of 0": { ...good, maxAnswer: 0 },
      "a further field": { ...good, maxTokens: 5 },
      "a further field inside": { ...good, template: { ...chat, text: "" } },
      "another kind": { ...good, template: { ...chat, kind: "turns" } },
      "no day": { ...good, template: { ...chat, date: "today" } },
      "no question": { ...good, template: { kind: "chat", user: "{context}" } },
      "a passage without text": { ...good, template: { ...defaultTemplate, passage: "{title}" } },
      "no object": "{}",
    })) {
      assert.throws(() => readRagPrompt(json, "g/rag.json"), { _tag: "InvalidTemplate", file: "g/rag.json" }, name)
    }
  })
})
