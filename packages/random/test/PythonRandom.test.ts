import assert from "node:assert/strict"
import { describe, it } from "node:test"
import { PythonRandom } from "../src/index.ts"

// All values were printed by CPython 3.11's random.Random.
describe("PythonRandom", () => {
  it("draws what CPython draws, one kind after another", () => {
    const random = new PythonRandom(11037)
    const numbers = Array.from({ length: 5 }, () => random.random())
    assert.deepEqual(
      numbers,
      [0.4579361060043632, 0.1853214854653985, 0.4154898744398442, 0.8083180185655807, 0.2703640794173091],
    )
    const whole = Array.from({ length: 5 }, () => random.randint(1, 1_000_000))
    assert.deepEqual(whole, [765778, 195375, 878206, 740862, 959453])
    const range = (length: number) => Array.from({ length }, (_, index) => index)
    assert.deepEqual(random.sample(range(10), 4), [6, 4, 8, 7])
    assert.deepEqual(random.sample(range(1000), 6), [880, 814, 809, 59, 849, 563])
    assert.deepEqual(random.shuffle(range(10)), [9, 2, 5, 8, 4, 0, 6, 3, 7, 1])
    const weighted = range(8).map(() => random.choice(["a", "b", "c"], [0.2, 0.5, 0.3]))
    assert.equal(weighted.join(""), "bbbbbbcc")
    const plain = range(8).map(() => random.choice([true, false]))
    assert.deepEqual(plain, [false, true, false, true, false, true, true, false])
    assert.deepEqual(
      [1, 5, 31, 32].map((k) => random.bits(k)),
      [1, 20, 1966513447, 2694764265],
    )
  })

  it("takes any whole number as its seed, and goes on beyond one state", () => {
    assert.equal(new PythonRandom(0).random(), 0.8444218515250481)
    assert.equal(new PythonRandom(-7).random(), 0.32383276483316237)
    assert.equal(new PythonRandom(2 ** 40 + 5).random(), 0.5043802970418443)
    const random = new PythonRandom(1)
    for (let index = 0; index < 700; index++) random.random()
    assert.equal(random.random(), 0.0601840957099572)
    assert.throws(() => new PythonRandom(0.5), RangeError)
    assert.throws(() => random.sample([1], 2), RangeError)
  })
})
