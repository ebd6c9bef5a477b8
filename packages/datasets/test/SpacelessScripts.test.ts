import assert from "node:assert/strict"
import { test } from "node:test"
import { cutSpaceless, isSpaceless } from "../src/index.ts"

test("characters of scripts without spaces stand apart, with their marks", () => {
  assert.deepEqual(cutSpaceless("1958年にWiiを"), ["1958", "年", "に", "Wii", "を"])
  assert.deepEqual(cutSpaceless("か\u3099き"), ["か\u3099", "き"])
  assert.deepEqual(cutSpaceless("กินน้ำ"), ["กิ", "น", "น้", "ำ"])
})

test("no letter, mark or digit that other scripts write with is taken for one of them", () => {
  for (const script of ["Latin", "Greek", "Cyrillic", "Arabic", "Hebrew", "Devanagari", "Hangul", "Ethiopic"]) {
    const own = new RegExp(`^\\p{sc=${script}}$`, "u")
    for (let code = 0; code < 0x20000; code++) {
      const character = String.fromCodePoint(code)
      if (own.test(character)) assert.equal(isSpaceless(character), false, `${script} ${code.toString(16)}`)
    }
  }
  for (let code = 0x300; code < 0x370; code++)
    assert.deepEqual(cutSpaceless(`a${String.fromCodePoint(code)}`).length, 1)
  for (const run of ["cafe\u0301", "naïve", "서울은", "été2024"]) assert.deepEqual(cutSpaceless(run), [run])
})
