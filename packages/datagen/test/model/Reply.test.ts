import assert from "node:assert/strict"
import { describe, it } from "node:test"
import { jsonObjectsIn, withoutThoughts } from "../../src/model/Reply.ts"

describe("withoutThoughts", () => {
  it("takes thoughts off, wherever their tags are", () => {
    assert.deepEqual(withoutThoughts(" yes "), { text: "yes" })
    assert.deepEqual(withoutThoughts("<think>is it? suitable</think>\n\nno"), {
      text: "no",
      thoughts: "is it? suitable",
    })
    assert.deepEqual(withoutThoughts("opened by the template</think>no"), {
      text: "no",
      thoughts: "opened by the template",
    })
    assert.deepEqual(withoutThoughts("<think>never ends {}"), { text: "", thoughts: "never ends {}" })
    assert.deepEqual(withoutThoughts("<Thinking></Thinking>no"), { text: "no" })
    const inside = '{"turns": [{"question": "What?", "answer": "<think>hm</think> That."}]}'
    assert.deepEqual(withoutThoughts(`${inside}\n`), { text: inside })
  })
})

describe("jsonObjectsIn", () => {
  it("finds objects among other text", () => {
    assert.deepEqual(jsonObjectsIn('{"a": 1}'), [{ a: 1 }])
    assert.deepEqual(jsonObjectsIn('Sure!\n```json\n{"a": {"b": "}{\\""}}\n```\nand {"c": 2}.'), [
      { a: { b: '}{"' } },
      { c: 2 },
    ])
    assert.deepEqual(jsonObjectsIn('A brace { and then {"a": 1}'), [{ a: 1 }])
    assert.deepEqual(jsonObjectsIn("none {a: 1} at all"), [])
    assert.deepEqual(jsonObjectsIn('{"a": 1, "b": {"c": '), [])
  })

  it("needs time that grows with the text alone", () => {
    // A search from each brace anew would need 10^11 steps for these.
    const count = 400_000
    assert.deepEqual(jsonObjectsIn("{".repeat(count)), [])
    assert.deepEqual(jsonObjectsIn('{"'.repeat(count)), [])
    assert.equal(jsonObjectsIn("{}".repeat(count)).length, count)
    assert.deepEqual(jsonObjectsIn("{".repeat(count) + "}".repeat(count)), [])
  })
})
