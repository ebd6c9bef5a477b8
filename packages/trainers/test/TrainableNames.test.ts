import assert from "node:assert/strict"
import { test } from "node:test"
import { FreezePatternError, type TrainableOptions, trainableNames } from "@tandem/trainers"
import { Effect } from "effect"

const bare = ["embeddings.word", "encoder.layer.0.weight", "encoder.layer.0.bias", "encoder.layer.1.weight"]
const names = ["query", "passage"].flatMap((part) => bare.map((name) => `${part}/${name}`))
const left = (options?: TrainableOptions) => Effect.runSync(trainableNames(names, options))
const without = (test: (name: string) => boolean) => names.filter((name) => !test(name))
const refused = (options: TrainableOptions) => Effect.runSync(Effect.flip(trainableNames(names, options)))

test("everything trains where nothing is frozen", () => assert.deepEqual(left(), names))

test("whole names are frozen, with * for any characters, in every part", () => {
  assert.deepEqual(
    left({ freeze: ["embeddings.*"] }),
    without((name) => name.includes("/embeddings.")),
  )
  assert.deepEqual(
    left({ freeze: ["*layer.0.*", "encoder.layer.1.weight"] }),
    without((name) => name.includes("layer.")),
  )
})

test("a part is frozen by its name, and parameters in one part by joint name", () => {
  for (const freeze of [["passage"], ["passage/*"]])
    assert.deepEqual(
      left({ freeze }),
      bare.map((name) => `query/${name}`),
    )
  assert.deepEqual(
    left({ freeze: ["query/*.bias"] }),
    without((name) => name === "query/encoder.layer.0.bias"),
  )
})

test("parts that train are named", () => {
  assert.deepEqual(
    left({ train: ["passage"], freeze: ["*.bias"] }),
    without((name) => name.startsWith("query/") || name.endsWith(".bias")),
  )
  const error = refused({ train: ["reader"] })
  assert.deepEqual([error.field, error.expected, error.found], ["train", "query, passage", "reader"])
})

test("a pattern that names nothing is refused: a dot is a dot and a piece of a name is no whole", () => {
  for (const pattern of ["embedding.*", "embeddings", "encoder.layer.9.*", "encoderXlayer.0*", "generator", ""]) {
    const error = refused({ freeze: ["*.bias", pattern] })
    assert.ok(error instanceof FreezePatternError)
    assert.equal(error.found, pattern)
  }
  assert.match(refused({ freeze: ["*"] }).message, /nothing is left/)
  assert.match(refused({ train: ["query"], freeze: ["query"] }).message, /nothing is left/)
})
