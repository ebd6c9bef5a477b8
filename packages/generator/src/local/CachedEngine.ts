import type { Decoding, ModelError } from "@tandem/models"
import { type Graph, int64 } from "@tandem/onnx"
import { type Buffer, type Executable, type Feed, Runtime } from "@tandem/runtime"
import { Effect, type Scope } from "effect"
import type { Engine, EngineOptions, Reading, ScoredRow, Scorer, Writing } from "./Engine.ts"
import { byRow, column, compiledLater, floats, reorderGraph, whole, withLikelihoods } from "./Graphs.ts"
import { layOut, layOutScored, paddedPositions } from "./Layout.ts"
import { weightsOf } from "./Weights.ts"

type Buffers = Readonly<Record<string, Buffer>>

/** Keys and values that rows share and that no run changes. */
interface Prefix {
  /** Position of what stands at each column of each prefix, −1 where nothing does. */
  readonly positions: readonly (readonly number[])[]
  /** By input name. */
  readonly buffers: Buffers
}

/** Texts are written token after token, over keys and values that stay on the device. */
export const cachedEngine = Effect.fnUntraced(function* (
  { model, adapt = (graph) => graph, weights: own = Object.fromEntries(model.parameters) }: EngineOptions,
  decoding: Decoding,
): Effect.fn.Return<Engine, ModelError, Runtime | Scope.Scope> {
  const runtime = yield* Runtime
  const graph = adapt(decoding.graph)
  const { into, feeds } = yield* weightsOf(graph, own)
  const writing = yield* compiledLater(() => into(withLikelihoods(graph)))
  const { scoring: scored } = decoding
  const scoring = scored && (yield* compiledLater(() => into(withLikelihoods(adapt(scored)))))
  const encoder = decoding.encoder === undefined ? undefined : adapt(decoding.encoder)
  const encoding = encoder && (yield* encoderOf(encoder, { ...own, ...feeds }))
  const reordering = yield* compiledLater(() => reorderGraph(decoding))
  const { heads } = decoding.caches[0]!
  const parts = decoding.caches.flatMap(({ headSize }, layer) =>
    ["key", "value"].map((part) => ({ name: `${layer}.${part}`, headSize })),
  )
  /** Buffers for keys and values of every layer, named with `kind`. */
  const keysAndValues = Effect.fnUntraced(function* (kind: string, rows: number, length: number) {
    const buffers: Record<string, Buffer> = {}
    for (const { name, headSize } of parts) {
      buffers[`${kind}.${name}`] = yield* runtime.zeros("float32", [rows, heads, length, headSize])
    }
    return buffers
  })
  /** The same where nothing is read of them but that they are there: one buffer for all of one size. */
  const nothing = Effect.fnUntraced(function* (kind: string, rows: number, length: number) {
    const bySize = new Map<number, Buffer>()
    const buffers: Record<string, Buffer> = {}
    for (const { name, headSize } of parts) {
      const buffer = bySize.get(headSize) ?? (yield* runtime.zeros("float32", [rows, heads, length, headSize]))
      bySize.set(headSize, buffer)
      buffers[`${kind}.${name}`] = buffer
    }
    return buffers
  })
  const renamed = (buffers: Buffers, kind: string): Buffers =>
    Object.fromEntries(Object.entries(buffers).map(([name, buffer]) => [name.replace(/^[a-z]+/, kind), buffer]))
  const empty = (rows: number, length: number): readonly (readonly number[])[] =>
    Array.from({ length: rows }, () => new Array<number>(length).fill(-1))
  const none: Prefix = { positions: [[-1]], buffers: yield* nothing("prefix", 1, 1) }

  /** Runs the writing graph; its logits lie on the device until they are downloaded, which spares a copy of all outputs. */
  const runForLogits = Effect.fnUntraced(function* (
    inputs: Readonly<Record<string, Feed>>,
    presents: Buffers,
    wanted: readonly number[],
  ) {
    const executable = yield* writing
    const logits = yield* runtime.zeros("float32", [wanted.length, model.vocabularySize])
    const normalizers = yield* runtime.zeros("float32", [wanted.length, 1])
    yield* executable.run(
      { ...feeds, ...inputs, logit_tokens: whole(wanted), targets: column(wanted.map(() => 0)) },
      { into: { ...renamed(presents, "present"), logits, normalizers }, only: [] },
    )
    return {
      logits: floats(yield* runtime.download(logits)),
      normalizers: floats(yield* runtime.download(normalizers)),
    }
  }, Effect.scoped)

  /** Scores by the graph that writes; its prefixes have equally many neighbouring rows. */
  const scoreByWriting = (prefix: Prefix): Scorer =>
    Effect.fnUntraced(function* (rows) {
      const executable = yield* writing
      const width = rows.reduce((widest, { ids }) => Math.max(widest, ids.length), 1)
      const before = empty(rows.length, width)
      const layout = { rows, capacity: width, column: 0, before, prefix: prefix.positions, heads }
      const { tensors, first } = layOut(layout)
      const past = yield* nothing("past", rows.length, width)
      return yield* likelihoods(executable, rows, first, { ...prefix.buffers, ...past, ...tensors })
    }, Effect.scoped)
  const likelihoods = Effect.fnUntraced(function* (
    executable: Executable,
    rows: readonly ScoredRow[],
    first: readonly number[],
    inputs: Readonly<Record<string, Feed>>,
  ) {
    const counts = rows.map(({ targets }) => targets)
    const places = rows.flatMap(({ ids, targets }, row) =>
      Array.from({ length: targets }, (_, index) => ({ row, at: ids.length - targets + index })),
    )
    const wanted = {
      logit_tokens: whole(places.map(({ row, at }) => first[row]! + at - 1)),
      targets: column(places.map(({ row, at }) => rows[row]!.ids[at]!)),
    }
    const found = yield* executable.run({ ...feeds, ...inputs, ...wanted }, { only: ["log_probabilities"] })
    return byRow(floats(found["log_probabilities"]), counts)
  })

  const write = (prefix: Prefix): Reading["write"] =>
    Effect.fnUntraced(function* (rows, capacity) {
      const buffers = yield* keysAndValues("past", rows, capacity)
      let positions = empty(rows, capacity)
      const step: Writing["step"] = Effect.fnUntraced(function* (tokens, column) {
        const layout = { rows: tokens, capacity, column, before: positions, prefix: prefix.positions, heads }
        const { tensors, after } = layOut(layout)
        const count = tokens.reduce((sum, { ids }) => sum + ids.length, 0)
        const next = yield* runForLogits({ ...prefix.buffers, ...buffers, ...tensors }, buffers, [
          ...Array(count).keys(),
        ])
        positions = after
        return next
      })
      const reorder: Writing["reorder"] = Effect.fnUntraced(function* (parents) {
        if (parents.every((parent, row) => parent === row)) return
        const executable = yield* reordering
        yield* executable.run({ ...buffers, parents: whole(parents) }, { into: renamed(buffers, "present"), only: [] })
        positions = parents.map((parent) => positions[parent]!)
      })
      return { step, reorder }
    })

  /** Room for the keys and values of prompts. */
  const prefixOf = Effect.fnUntraced(function* (prompts: readonly (readonly number[])[]) {
    const lengths = prompts.map(({ length }) => length)
    const width = Math.max(...lengths)
    const buffers = yield* keysAndValues("prefix", prompts.length, width)
    const prefix: Prefix = { positions: paddedPositions(lengths), buffers }
    return { prefix, lengths, width }
  })

  /** Prompts as what stands before rows, with the logits at their ends where the graph itself reads them. */
  const begin = Effect.fnUntraced(function* (prompts: readonly (readonly number[])[]) {
    const { prefix, lengths, width } = yield* prefixOf(prompts)
    if (encoding !== undefined) {
      const executable = yield* encoding.executable
      const dims = [prompts.length, width]
      const ids = prompts.flatMap((each) => [...each, ...Array<number>(width - each.length).fill(model.padTokenId)])
      const mask = prefix.positions.flat().map((position) => (position < 0 ? 0 : 1))
      yield* executable.run(
        { ...encoding.feeds, input_ids: int64(dims, ids), attention_mask: int64(dims, mask) },
        { into: prefix.buffers, only: [] },
      )
      return { prefix, lengths: lengths.map(() => 0), next: undefined }
    }
    const next = yield* Effect.scoped(
      Effect.gen(function* () {
        const rows = prompts.map((ids) => ({ ids, start: 0 }))
        const before = empty(prompts.length, width)
        const { tensors, first } = layOut({ rows, capacity: width, column: 0, before, prefix: none.positions, heads })
        const inputs = { ...none.buffers, ...(yield* nothing("past", prompts.length, width)), ...tensors }
        return yield* runForLogits(
          inputs,
          prefix.buffers,
          first.map((at, row) => at + lengths[row]! - 1),
        )
      }),
    )
    return { prefix, lengths, next }
  })

  const read: Engine["read"] = (prompts) =>
    Effect.map(begin(prompts), ({ prefix, ...reading }) => ({ ...reading, write: write(prefix) }))

  /** Scores by the graph that is made for it. */
  const scorerOf = (executable: Executable): Engine["scorer"] =>
    Effect.fnUntraced(function* (beginnings) {
      const score =
        (prefix: Prefix): Scorer =>
        (rows) => {
          const { tensors, first } = layOutScored(rows, prefix.positions)
          return likelihoods(executable, rows, first, { ...prefix.buffers, ...tensors })
        }
      if (beginnings.length === 0) return score(none)
      const { prefix } = yield* prefixOf(beginnings)
      const rows = beginnings.map((ids) => ({ ids, start: 0, prefix: 0 }))
      const { tensors } = layOutScored(rows, none.positions)
      yield* executable.run(
        { ...feeds, ...none.buffers, ...tensors, logit_tokens: whole([0]), targets: column([0]) },
        { into: renamed(prefix.buffers, "present"), only: [] },
      )
      return score(prefix)
    })

  return {
    vocabularySize: model.vocabularySize,
    uneven: decoding.uneven,
    sharesPrefixes: decoding.uneven && encoding === undefined,
    read,
    mixesRows: scoring !== undefined,
    scorer: (beginnings) => {
      if (scoring !== undefined) return Effect.flatMap(scoring, (executable) => scorerOf(executable)(beginnings))
      if (beginnings.length === 0) return Effect.succeed(scoreByWriting(none))
      return Effect.map(begin(beginnings), ({ prefix }) => scoreByWriting(prefix))
    },
  }
})

/** The encoder that prefixes are made by. */
const encoderOf = Effect.fnUntraced(function* (graph: Graph, given: Readonly<Record<string, Feed>>) {
  const { into, feeds } = yield* weightsOf(graph, given)
  return { feeds, executable: yield* compiledLater(() => into(graph)) }
})
