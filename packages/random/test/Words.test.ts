import assert from "node:assert/strict"
import { test } from "node:test"
import {
  fnv1aOfBytes,
  fnv1aOfCodePoints,
  lcg32,
  mulberry32,
  scrambledLcg32,
  splitMix32,
  truncatedNormals,
  uniforms,
  type Words,
  xorshift128,
} from "@tandem/random"

const take = (count: number, next: () => number): readonly number[] => Array.from({ length: count }, next)

const generators: Readonly<Record<string, (seed: number) => Words>> = {
  splitMix32,
  xorshift128,
  mulberry32,
  lcg32,
  scrambledLcg32,
}

for (const [name, generator] of Object.entries(generators))
  test(`${name} gives even 32-bit words, the same ones again for the same seed`, () => {
    const words = take(60_000, generator(11))
    assert.ok(words.every((word) => Number.isInteger(word) && word >= 0 && word < 2 ** 32))
    assert.deepEqual(words.slice(0, 9), take(9, generator(11)))
    assert.notDeepEqual(words.slice(0, 9), take(9, generator(12)))
    const counts = new Array<number>(16).fill(0)
    for (const word of words) counts[word >>> 28]! += 1
    for (const count of counts) assert.ok(Math.abs(count - 3750) < 300, `${counts}`)
  })

test("streams that weights, intervals and benchmarks depend on stay as they are", () => {
  assert.deepEqual(take(4, xorshift128(7)), [469556257, 3105935780, 1523172794, 4265783549])
  assert.deepEqual(take(2, xorshift128(-3)), [3202012211, 795656916])
  assert.deepEqual(take(2, truncatedNormals(xorshift128(7))), [0.30768280243501067, -0.6126873490866274])
  assert.deepEqual(take(3, splitMix32(fnv1aOfCodePoints("3:ä.𝒳"))), [4079745458, 3986520843, 3066242180])
  assert.deepEqual(take(3, lcg32((5 * 2654435761 + 12345) % 2 ** 32)), [556441653, 2358981648, 1285486639])
  // The first words of the reference implementation for seed 0.
  assert.deepEqual(take(3, mulberry32(0)), [1144304738, 1416247, 958946056])
})

test("FNV-1a of ASCII bytes: the published value; units and code points are hashed as told", () => {
  assert.equal(fnv1aOfCodePoints("foobar") >>> 0, 0xbf9cf968)
  assert.equal(fnv1aOfCodePoints("") >>> 0, 0x811c9dc5)
  assert.equal(fnv1aOfBytes("a"), fnv1aOfCodePoints("a\u0000"))
  assert.equal(fnv1aOfBytes("\u0161"), fnv1aOfCodePoints("a\u0001"))
})

test("uniforms lie in [0, 1), normal numbers within two deviations", () => {
  const uniform = take(20_000, uniforms(xorshift128(1)))
  assert.ok(uniform.every((value) => value >= 0 && value < 1))
  assert.ok(Math.abs(uniform.reduce((sum, value) => sum + value) / 20_000 - 0.5) < 0.01)
  const normal = take(20_000, truncatedNormals(xorshift128(1)))
  assert.ok(normal.every((value) => Math.abs(value) <= 2))
  // The variance of a standard normal number cut off at two deviations is 0.774.
  assert.ok(Math.abs(normal.reduce((sum, value) => sum + value ** 2) / 20_000 - 0.774) < 0.03)
})
