import assert from "node:assert/strict"
import { it } from "node:test"
import { bucketLengths, collatePrompts, InvalidBatch, type Prompt, type PromptOptions } from "@tandem/collators"
import { type Tensor, toNumbers } from "@tandem/onnx"

const bucket = bucketLengths({ multiple: 1, maximum: 16 })
const options: PromptOptions = { padTokenId: 0, bucket, prefixBucket: bucket }

const groups: readonly (readonly Prompt[])[] = [
  [
    { ids: [1, 5, 6, 20, 21, 3, 9, 2], from: 6 },
    { ids: [1, 5, 6, 30, 3, 8, 2], from: 5 },
  ],
  [
    { ids: [1, 7, 20, 3, 9], from: 4 },
    { ids: [1, 7, 21, 22, 3, 9], from: 5 },
  ],
]

/** Texts of a batch, each prefix in front of its rows. */
const textsOf = (tensors: Readonly<Record<string, Tensor>>): readonly (readonly number[])[] => {
  const rows = (prefix: string): number[][] => {
    const [ids, mask] = [tensors[`${prefix}input_ids`], tensors[`${prefix}attention_mask`]]
    if (ids === undefined || mask === undefined) return []
    const [count = 0, width = 0] = ids.dims
    const real = toNumbers(ids).map((id, place) => (toNumbers(mask)[place] === 1 ? [id] : []))
    return Array.from({ length: count }, (_, row) => real.slice(row * width, (row + 1) * width).flat())
  }
  const [own, prefixes] = [rows(""), rows("prefix_")]
  const size = own.length / Math.max(1, prefixes.length)
  return own.map((text, row) => [...(prefixes[Math.floor(row / size)] ?? []), ...text])
}

it("lays out what texts begin with once, and loses nothing", () => {
  for (const prefixBucket of [undefined, bucket, bucketLengths({ multiple: 4, maximum: 16 })]) {
    const { tensors, shape, statistics } = collatePrompts(groups, {
      padTokenId: 0,
      bucket,
      ...(prefixBucket && { prefixBucket }),
    })
    assert.deepEqual(
      textsOf(tensors),
      groups.flat().map(({ ids }) => ids),
    )
    const all = groups.flat().reduce((sum, { ids }) => sum + ids.length, 0)
    assert.equal(statistics.realTokens + statistics.sharedTokens, all)
    assert.equal(statistics.sharedTokens, prefixBucket === undefined ? 0 : 3 + 2)
    assert.equal(shape.prefix?.tokens, prefixBucket?.(3))
    assert.equal(shape.tokens, prefixBucket === undefined ? 8 : 5)
    assert.equal("prefix_input_ids" in tensors, prefixBucket !== undefined)
  }
})

it("reads no other labels than those that a text names", () => {
  const ids = [1, 7, 20, 3, 9, 8, 4]
  const labels = [false, false, false, true, false, true, false]
  const texts = [
    [
      { ids, from: 3, labels, weight: 2 },
      { ids: [...ids.slice(0, 3), 5], from: 3 },
    ],
  ]
  for (const prefixBucket of [undefined, bucket]) {
    const { tensors, shape } = collatePrompts(texts, { padTokenId: 0, bucket, ...(prefixBucket && { prefixBucket }) })
    assert.equal(shape.prefix?.tokens, prefixBucket && 2)
    assert.deepEqual(toNumbers(tensors["targets"]!), [3, 8, 5])
    assert.deepEqual(toNumbers(tensors["weights"]!), [2, 2, 1])
  }
})

it("reads each label at the token before it, and fills up with places that weigh nothing", () => {
  for (const logitMultiple of [1, 4, 100]) {
    const { tensors, shape } = collatePrompts(groups, { ...options, logitMultiple })
    const [places, targets, weights] = ["logit_rows", "targets", "weights"].map((name) => toNumbers(tensors[name]!))
    assert.equal(shape.logitRows, places!.length)
    assert.equal(places!.length, { 1: 6, 4: 8, 100: 16 }[logitMultiple])
    assert.equal(new Set(places).size, places!.length)
    assert.deepEqual(places!.slice(0, 6), [2, 3, 6, 7, 11, 17])
    assert.deepEqual(targets!.slice(0, 6), [9, 2, 8, 2, 9, 9])
    assert.deepEqual(
      weights,
      places!.map((_, index) => (index < 6 ? 1 : 0)),
    )
    const mask = toNumbers(tensors["attention_mask"]!)
    assert.ok(places!.every((place) => mask[place] === 1))
  }
})

it("packs prefixes and texts together", () => {
  const { tensors, shape, statistics } = collatePrompts(groups, { ...options, packedMultiple: 4 })
  const rows = toNumbers(tensors["packed_rows"]!)
  const mask = [...toNumbers(tensors["prefix_attention_mask"]!), ...toNumbers(tensors["attention_mask"]!)]
  const real = mask.flatMap((value, place) => (value === 1 ? [place] : []))
  assert.deepEqual(rows.slice(0, real.length), real)
  assert.equal(shape.packedRows, rows.length)
  assert.equal(statistics.realTokens, real.length)
  assert.equal(statistics.paddedTokens, rows.length - real.length)
  assert.equal(collatePrompts(groups, { ...options, packedMultiple: 100 }).shape.packedRows, undefined)
})

it("shares nothing where little would be saved", () => {
  // 5 of 26 tokens
  for (const [leastShared, isShared] of [
    [undefined, true],
    [0.19, true],
    [0.2, false],
  ] as const) {
    const { shape } = collatePrompts(groups, { ...options, ...(leastShared !== undefined && { leastShared }) })
    assert.equal(shape.prefix !== undefined, isShared)
  }
})

it("leaves each text a token, and the token that its first label is read at", () => {
  const shared = (...prompts: Prompt[]): number => collatePrompts([prompts], options).shape.prefix?.tokens ?? 0
  const ids = [4, 5, 6, 7]
  assert.equal(shared({ ids, from: 4 }, { ids, from: 4 }), 3)
  assert.equal(shared({ ids, from: 9 }, { ids: [4, 5, 6], from: 9 }), 2)
  assert.equal(shared({ ids, from: 4 }, { ids, from: 2 }), 1)
  assert.equal(shared({ ids, from: 1 }, { ids, from: 4 }), 0)
  assert.equal(shared({ ids, from: 4 }, { ids: [9, 5, 6], from: 2 }), 0)
  assert.equal(shared({ ids, from: 4 }), 0)
})

it("refuses groups that are no batch", () => {
  const ids = [4, 5, 6]
  const refused: readonly (readonly [readonly (readonly Prompt[])[], Partial<PromptOptions>])[] = [
    [[], {}],
    [[[]], {}],
    [[[{ ids, from: 2 }], [groups[0]![0]!, groups[0]![1]!]], {}],
    [[[{ ids: [], from: 2 }]], {}],
    [[[{ ids, from: 2, labels: [true] }]], {}],
    [[[{ ids, from: 0 }]], {}],
    [[[{ ids, from: 1.5 }]], {}],
    [groups, { bucket: () => 2 }],
    [groups, { prefixBucket: () => 2 }],
    [groups, { logitMultiple: 0 }],
    [groups, { packedMultiple: 0 }],
  ]
  for (const [prompts, more] of refused)
    assert.throws(() => collatePrompts(prompts, { ...options, ...more }), InvalidBatch)
})
