import assert from "node:assert/strict"
import { describe, it } from "node:test"
import {
  type BatchPassage,
  bucketLengths,
  type CollateOptions,
  collateDualEncoder,
  collateSharedEncoder,
  type DualEncoderBatch,
  type DualEncoderItem,
  InvalidBatch,
} from "@tandem/collators"
import { toNumbers } from "@tandem/onnx"
import { Random } from "@tandem/random"

const options: CollateOptions = {
  padTokenId: 9,
  bucket: bucketLengths({ multiple: 4, maximum: 10 }),
  hardNegatives: 1,
  inputs: ["input_ids", "attention_mask", "token_type_ids"],
}

const passage = (id: string, ids: readonly number[], words?: string): BatchPassage => ({
  id,
  text: { ids },
  ...(words === undefined ? {} : { words }),
})

const item = (
  positive: BatchPassage,
  negatives: readonly BatchPassage[] = [],
  rest: Partial<DualEncoderItem> = {},
): DualEncoderItem => ({ query: { ids: [1, 2] }, positive, negatives, relevant: new Set([positive.id]), ...rest })

const numbers = (batch: DualEncoderBatch, name: string): number[] => {
  const found = batch.tensors[name]
  assert.ok(found !== undefined, `no tensor ${name}`)
  return toNumbers(found)
}

/** Rows of the mask as text, `x` for excluded. */
const excludedRows = (batch: DualEncoderBatch): readonly string[] => {
  const flags = numbers(batch, "excluded")
  const { queries, passages } = batch.shape
  return Array.from({ length: queries }, (_, b) =>
    flags
      .slice(b * passages, (b + 1) * passages)
      .map((flag) => (flag === 1 ? "x" : "."))
      .join(""),
  )
}

describe("collateDualEncoder", () => {
  it("lays out positives and hard negatives, padded on the right to their own buckets", () => {
    const items = [
      item(passage("a", [3, 4, 5, 6, 7]), [passage("c", [5])]),
      item(passage("b", [6, 7]), [passage("d", [8, 9]), passage("e", [1])], {
        query: { ids: Int32Array.of(1, 2, 3), types: [0, 0, 1] },
      }),
    ]
    const batch = collateDualEncoder(items, options)
    assert.deepEqual(batch.shape, { queries: 2, queryTokens: 4, passages: 4, passageTokens: 8 })
    assert.deepEqual(numbers(batch, "query.input_ids"), [1, 2, 9, 9, 1, 2, 3, 9])
    assert.deepEqual(numbers(batch, "query.attention_mask"), [1, 1, 0, 0, 1, 1, 1, 0])
    assert.deepEqual(numbers(batch, "query.token_type_ids"), [0, 0, 0, 0, 0, 0, 1, 0])
    const nines = (count: number) => Array.from({ length: count }, () => 9)
    assert.deepEqual(numbers(batch, "passage.input_ids"), [
      ...[3, 4, 5, 6, 7, ...nines(3)],
      ...[6, 7, ...nines(6)],
      ...[5, ...nines(7)],
      ...[8, 9, ...nines(6)],
    ])
    for (const [name, tensor] of Object.entries(batch.tensors)) {
      const [rows, columns] = name.startsWith("query.") ? [2, 4] : name.startsWith("passage.") ? [4, 8] : [2, 4]
      assert.deepEqual(tensor.dims, [rows, columns], name)
      assert.equal(tensor.type, name === "excluded" ? "bool" : "int64")
    }
    assert.deepEqual(excludedRows(batch), ["....", "...."])
    assert.deepEqual(batch.statistics, {
      realTokens: 15,
      paddedTokens: 25,
      duplicatePassages: 0,
      freeRows: 0,
      excludedPairs: 0,
    })
  })

  it("makes only the inputs that the encoder takes", () => {
    const batch = collateDualEncoder([item(passage("a", [1]))], { ...options, inputs: ["input_ids"], hardNegatives: 0 })
    assert.deepEqual(Object.keys(batch.tensors), ["query.input_ids", "passage.input_ids", "excluded"])
  })

  it("pads passages as their own encoder wants, where it is another one", () => {
    const items = [item(passage("a", [3, 4, 5])), item(passage("b", [6]))]
    const other = { padTokenId: 0, inputs: ["input_ids"] }
    const batch = collateDualEncoder(items, { ...options, hardNegatives: 0, passage: other })
    assert.deepEqual(numbers(batch, "passage.input_ids"), [3, 4, 5, 0, 6, 0, 0, 0])
    assert.deepEqual(numbers(batch, "query.input_ids"), [1, 2, 9, 9, 1, 2, 9, 9])
    assert.ok("query.token_type_ids" in batch.tensors && !("passage.token_type_ids" in batch.tensors))
  })

  it("masks two positives of one query, a shared positive, and hard negatives that are positives", () => {
    const [a, b, c] = [passage("a", [1]), passage("b", [2]), passage("c", [3])]
    const items = [
      item(a, [c], { relevant: new Set(["a", "b"]) }), // b answers it too
      item(b, [a]), // its negative is query 0's positive
      item(a, [b]), // the same positive as query 0
    ]
    const batch = collateDualEncoder(items, options)
    //                                     rows: a b a c a b
    assert.deepEqual(excludedRows(batch), [".xx.xx", ".....x", "x...x."])
    assert.deepEqual([batch.statistics.duplicatePassages, batch.statistics.excludedPairs], [3, 7])
  })

  it("masks passages that hold an answer as whole words, and only where answers are given", () => {
    const hawk = passage("hawk", [1], "flown in 1903 at kitty hawk")
    const boat = passage("boat", [2], "a boat of 19034 tons")
    const year = passage("year", [3], "the year 1903")
    const plain = [item(hawk, [year]), item(boat, [hawk])]
    assert.deepEqual(excludedRows(collateDualEncoder(plain, options)), ["...x", "...."])
    const answered = plain.map((one) => ({ ...one, answers: ["1903", ""] }))
    assert.deepEqual(excludedRows(collateDualEncoder(answered, options)), ["..xx", "x.xx"])
  })

  it("takes equal tokens under two ids for one passage", () => {
    const [a, twin, b, other] = [passage("a", [1, 2]), passage("a2", [1, 2]), passage("b", [3]), passage("b2", [3])]
    const items = [item(a, [b]), item(twin, [other], { relevant: new Set(["b"]) })]
    //                                                                           rows: a a2 b b2
    assert.deepEqual(excludedRows(collateDualEncoder(items, options)), [".x..", "x.xx"])
    const segments = [item(passage("c", [1, 2])), item({ id: "d", text: { ids: [1, 2], types: [0, 1] } })]
    assert.deepEqual(excludedRows(collateDualEncoder(segments, { ...options, hardNegatives: 0 })), ["..", ".."])
  })

  it("brings weights where they are asked for, 1 where an item has none", () => {
    const items = [item(passage("a", [1]), [], { weight: 0 }), item(passage("b", [2]))]
    assert.ok(!("weights" in collateDualEncoder(items, options).tensors))
    const { tensors } = collateDualEncoder(items, { ...options, weights: true })
    assert.deepEqual([tensors["weights"]?.type, tensors["weights"]?.dims], ["float32", [2]])
    assert.deepEqual(toNumbers(tensors["weights"]!), [0, 1])
    assert.deepEqual(collateSharedEncoder(items, { ...options, weights: true }).tensors["weights"], tensors["weights"])
    for (const weight of [-1, Number.NaN, Number.POSITIVE_INFINITY]) {
      const wrong = [item(passage("a", [1]), [], { weight })]
      assert.throws(() => collateDualEncoder(wrong, { ...options, weights: true }), InvalidBatch)
    }
  })

  it("leaves rows free where queries have too few hard negatives, unseen by every query", () => {
    const items = [item(passage("a", [1, 2, 3]), [passage("c", [4, 5])]), item(passage("b", [6, 7, 8]))]
    const batch = collateDualEncoder(items, { ...options, hardNegatives: 2 })
    assert.deepEqual(excludedRows(batch), ["...xxx", "...xxx"])
    assert.deepEqual(numbers(batch, "passage.input_ids").slice(12), [4, 5, 9, 9, 4, 5, 9, 9, 4, 5, 9, 9])
    assert.deepEqual(batch.statistics, {
      realTokens: 12,
      paddedTokens: 20,
      duplicatePassages: 0,
      freeRows: 3,
      excludedPairs: 0,
    })
  })

  it("holds every token once and masks exactly what answers, whatever the batch", () => {
    const random = Random.fromSeed("collate")
    for (let round = 0; round < 50; round++) {
      const text = () => ({ ids: Array.from({ length: 1 + random.integer(10) }, () => 10 + random.integer(90)) })
      const pool = Array.from({ length: 6 }, (_, index) => ({ id: `p${index}`, text: text() }))
      const hardNegatives = random.integer(3)
      const items = Array.from({ length: 1 + random.integer(6) }, () => ({
        query: text(),
        positive: random.choice(pool),
        negatives: random.sample(pool, random.integer(4)),
        relevant: new Set(random.sample(pool, random.integer(3)).map(({ id }) => id)),
      }))
      const batch = collateDualEncoder(items, { ...options, hardNegatives })
      const { queries, passages, passageTokens } = batch.shape
      assert.deepEqual([queries, passages], [items.length, items.length * (1 + hardNegatives)])
      const [ids, mask] = [numbers(batch, "passage.input_ids"), numbers(batch, "passage.attention_mask")]
      const flags = numbers(batch, "excluded")
      for (let j = 0; j < passages; j++) {
        const negative = j - queries
        const owner = items[negative < 0 ? j : Math.floor(negative / hardNegatives)]
        const source = negative < 0 ? owner?.positive : owner?.negatives[negative % hardNegatives]
        const row = ids.slice(j * passageTokens, (j + 1) * passageTokens)
        const real = mask.slice(j * passageTokens, (j + 1) * passageTokens)
        if (source !== undefined) assert.deepEqual(row.slice(0, source.text.ids.length), source.text.ids)
        assert.ok(row.every((id, at) => (real[at] === 1) === (id !== options.padTokenId)))
        assert.ok(real.every((flag, at) => at === 0 || flag <= real[at - 1]!))
        for (const [b, { positive, relevant }] of items.entries()) {
          const answering = source === undefined || source.id === positive.id || relevant.has(source.id)
          assert.equal(flags[b * passages + j], b !== j && answering ? 1 : 0)
        }
      }
      const { realTokens, paddedTokens } = batch.statistics
      assert.equal(realTokens + paddedTokens, queries * batch.shape.queryTokens + passages * passageTokens)
    }
  })

  it("refuses what makes no batch, and says what", () => {
    const one = item(passage("a", [1]))
    const refused: readonly (readonly [readonly DualEncoderItem[], Partial<CollateOptions>])[] = [
      [[], {}],
      [[one], { hardNegatives: -1 }],
      [[one], { hardNegatives: 0.5 }],
      [[one], { inputs: ["position_ids"] }],
      [[one], { inputs: ["toString"] }],
      [[one], { bucket: () => 1 }],
      [[item(passage("a", []))], {}],
      [
        [
          item(
            passage(
              "a",
              Array.from({ length: 11 }, () => 1),
            ),
          ),
        ],
        {},
      ],
      [[{ ...one, query: { ids: [1, 2], types: [0] } }], {}],
    ]
    for (const [items, changed] of refused) {
      assert.throws(() => collateDualEncoder(items, { ...options, ...changed }), InvalidBatch)
    }
  })
})

describe("bucketLengths", () => {
  it("rounds up, never below the length and never above the maximum", () => {
    const bucket = bucketLengths({ multiple: 32, maximum: 250 })
    assert.deepEqual([0, 1, 32, 33, 224, 225, 250].map(bucket), [32, 32, 32, 64, 224, 250, 250])
    assert.throws(() => bucket(251), InvalidBatch)
    assert.throws(() => bucketLengths({ multiple: 0, maximum: 8 }), InvalidBatch)
  })
})
