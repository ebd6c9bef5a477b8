import assert from "node:assert/strict"
import { test } from "node:test"
import { sameText } from "../src/index.ts"

test("passages that read the same know each other; titles count where they are read", () => {
  const passages = [
    { id: "a", text: "x" },
    { id: "b", text: "x", title: "t" },
    { id: "c", text: "x", title: "" },
    { id: "d", text: "y", title: "t" },
    { id: "a", text: "x" },
  ]
  const plain = sameText(passages, { titled: false })
  assert.deepEqual([...plain.keys()].sort(), ["a", "b", "c"])
  assert.deepEqual([...(plain.get("b") ?? [])].sort(), ["a", "c"])
  const titled = sameText(passages, { titled: true })
  assert.deepEqual(
    [...titled],
    [
      ["a", ["c"]],
      ["c", ["a"]],
    ],
  )
})
