import assert from "node:assert/strict"
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { after, test } from "node:test"
import { float32 } from "@tandem/onnx"
import { type Checkpoint, CheckpointFailed, Checkpoints } from "@tandem/trainers"
import { layer } from "@tandem/trainers/node/DirectoryCheckpoints"
import { Effect, type Layer, Option } from "effect"

const root = mkdtempSync(join(tmpdir(), "tandem-checkpoints-"))
after(() => rmSync(root, { recursive: true, force: true }))

const checkpoint = (step: number, best: number | null = null): Checkpoint => ({
  state: { format: 2, step, fingerprint: "f", best: best === null ? null : { step: best, value: 0.5 }, stale: 1 },
  weights: new Map([["query/w.x", float32([2], [step, Math.PI])]]),
  slots: {
    first: new Map([["query/w.x", float32([2], [step / 3, -0])]]),
    second: new Map([["query/w.x", float32([2], [1e-40, step])]]),
  },
  parts:
    step % 2 === 0
      ? {}
      : {
          index: { tensors: new Map([["vectors", float32([1, 2], [step, 2])]]), json: { generation: step } },
          cache: { tensors: new Map(), json: ["p1", "p2"] },
        },
})

type Service = (typeof Checkpoints)["Service"]
const using = <A, E>(
  checkpoints: Layer.Layer<Checkpoints>,
  body: (service: Service) => Effect.Effect<A, E>,
): Promise<A> => Effect.runPromise(Effect.provide(Effect.flatMap(Checkpoints, body), checkpoints))
const save = (folder: string, value: Checkpoint) => using(layer(folder), (service) => service.save(value))
const last = (folder: string) => using(layer(folder), (service) => service.last)
const failure = (folder: string) => using(layer(folder), (service) => Effect.flip(service.last))

const name = (step: number): string => `step-${String(step).padStart(8, "0")}`

for (const [kind, make] of [
  ["a folder", (folder: string) => layer(join(root, folder))],
  ["memory", () => Checkpoints.layerMemory],
] as const) {
  test(`${kind} gives back what was saved, bit for bit, and keeps the last and the best`, () =>
    using(make("round"), (service) =>
      Effect.gen(function* () {
        assert.ok(Option.isNone(yield* service.last))
        yield* service.save(checkpoint(5))
        assert.deepEqual(Option.getOrThrow(yield* service.last), checkpoint(5))
        yield* service.save(checkpoint(10, 10))
        yield* service.save(checkpoint(15, 10))
        yield* service.save(checkpoint(100_000_020, 10))
        assert.deepEqual(Option.getOrThrow(yield* service.last), checkpoint(100_000_020, 10))
        assert.deepEqual(Option.getOrThrow(yield* service.at(10)), checkpoint(10, 10))
        for (const gone of [5, 15, 11]) assert.ok(Option.isNone(yield* service.at(gone)))
      }),
    ))
}

test("what a kill left half written is not read, and goes with the next save", async () => {
  const folder = join(root, "partial")
  await save(folder, checkpoint(5))
  for (const step of [7, 10]) {
    mkdirSync(join(folder, `${name(step)}.partial`))
    writeFileSync(join(folder, `${name(step)}.partial`, "weights.safetensors"), "half")
  }
  assert.deepEqual(Option.getOrThrow(await last(folder)), checkpoint(5))
  await save(folder, checkpoint(10))
  assert.deepEqual(readdirSync(folder), [name(10)])
  assert.deepEqual(Option.getOrThrow(await last(folder)), checkpoint(10))
})

for (const [file, content] of [
  ["state.json", '{"format":1,"step":'],
  ["state.json", '{"format":2,"step":5}'],
  ["parts/index.json", "{"],
  ["parts/index.safetensors", ""],
  ["weights.safetensors", "short"],
  ["optimizer.safetensors", ""],
] as const) {
  test(`a damaged ${file} (${content}) is named`, async () => {
    const folder = join(root, `damaged-${file.replace("/", "-")}-${content.length}`)
    await save(folder, checkpoint(5))
    const path = join(folder, name(5), file)
    writeFileSync(path, content)
    const error = await failure(folder)
    assert.ok(error instanceof CheckpointFailed)
    assert.equal(error.file, path)
    assert.match(error.hint ?? "", /earlier/)
  })
}

test("a checkpoint of the layout before is refused with the reason", async () => {
  const folder = join(root, "earlier")
  await save(folder, checkpoint(5))
  const path = join(folder, name(5), "state.json")
  writeFileSync(path, JSON.stringify({ ...checkpoint(5).state, format: 1 }))
  const error = await failure(folder)
  assert.deepEqual([error.file, error.field, error.found], [path, "format", "1"])
})

test("a file that is missing is named", async () => {
  const folder = join(root, "missing")
  await save(folder, checkpoint(5))
  rmSync(join(folder, name(5), "weights.safetensors"))
  assert.equal((await failure(folder)).file, join(folder, name(5), "weights.safetensors"))
})

test("a folder that cannot be one fails in both directions", async () => {
  const folder = join(root, "file")
  writeFileSync(folder, "in the way")
  assert.equal((await failure(folder)).file, folder)
  const error = await using(layer(join(folder, "below")), (service) => Effect.flip(service.save(checkpoint(1))))
  assert.ok(error instanceof CheckpointFailed)
  assert.match(error.message, /cannot write/)
})
