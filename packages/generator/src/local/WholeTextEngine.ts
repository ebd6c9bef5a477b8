import type { Decoding, ModelError } from "@tandem/models"
import { int64 } from "@tandem/onnx"
import type { Runtime } from "@tandem/runtime"
import { Effect, type Scope } from "effect"
import type { Engine, EngineOptions, NextLogits, Reading, Scorer, Writing } from "./Engine.ts"
import { byRow, column, compiledLater, floats, whole, withLikelihoods } from "./Graphs.ts"
import { weightsOf } from "./Weights.ts"

type Texts = readonly (readonly number[])[]

/** For a model that was exported without a key-value cache: every token is computed anew for each token that is written. */
export const wholeTextEngine = Effect.fnUntraced(function* (
  { model, adapt = (graph) => graph, weights: own = Object.fromEntries(model.parameters) }: EngineOptions,
  decoding: Decoding,
): Effect.fn.Return<Engine, ModelError, Runtime | Scope.Scope> {
  const graph = adapt(decoding.graph)
  const { into, feeds } = yield* weightsOf(graph, own)
  const writing = yield* compiledLater(() => into(withLikelihoods(graph)))

  /** Texts side by side, padded on the right, and the places that logits are wanted at, counted from each text's end. */
  const layOut = (texts: Texts, wanted: readonly number[]) => {
    const width = texts.reduce((widest, { length }) => Math.max(widest, length), 1)
    const dims = [texts.length, width]
    const padded = (value: (ids: readonly number[]) => readonly number[], padding: number): readonly number[] =>
      texts.flatMap((ids) => [...value(ids), ...Array<number>(width - ids.length).fill(padding)])
    const places = texts.flatMap((ids, row) =>
      Array.from({ length: wanted[row]! }, (_, index) => row * width + ids.length - wanted[row]! + index),
    )
    return {
      places,
      tensors: {
        input_ids: int64(
          dims,
          padded((ids) => ids, model.padTokenId),
        ),
        attention_mask: int64(
          dims,
          padded((ids) => ids.map(() => 1), 0),
        ),
      },
    }
  }

  const next = Effect.fnUntraced(function* (texts: Texts): Effect.fn.Return<NextLogits, ModelError> {
    const executable = yield* writing
    const { places, tensors } = layOut(
      texts,
      texts.map(() => 1),
    )
    const results = yield* executable.run(
      { ...feeds, ...tensors, logit_tokens: whole(places), targets: column(places.map(() => 0)) },
      { only: ["logits", "normalizers"] },
    )
    return { logits: floats(results["logits"]), normalizers: floats(results["normalizers"]) }
  })

  const scorer = (beginnings: Texts): Scorer =>
    Effect.fnUntraced(function* (rows) {
      const executable = yield* writing
      const targets = rows.map((row) => row.targets)
      const texts = rows.map(({ ids, prefix }) => [...(beginnings[prefix] ?? []), ...ids])
      const { places, tensors } = layOut(texts, targets)
      const { log_probabilities: found } = yield* executable.run(
        {
          ...feeds,
          ...tensors,
          logit_tokens: whole(places.map((place) => place - 1)),
          targets: column(texts.flatMap((ids, row) => ids.slice(ids.length - targets[row]!))),
        },
        { only: ["log_probabilities"] },
      )
      return byRow(floats(found), targets)
    })

  const read: Engine["read"] = Effect.fnUntraced(function* (prompts) {
    const write: Reading["write"] = (rows) =>
      Effect.sync((): Writing => {
        let texts: Texts = Array.from({ length: rows }, (_, row) => prompts[Math.floor((row * prompts.length) / rows)]!)
        return {
          step: (tokens) => {
            texts = texts.map((ids, row) => [...ids, ...tokens[row]!.ids])
            return next(texts.filter((_, row) => tokens[row]!.ids.length > 0))
          },
          reorder: (parents) =>
            Effect.sync(() => {
              texts = parents.map((parent) => texts[parent]!)
            }),
        }
      })
    return { lengths: prompts.map(({ length }) => length), next: yield* next(prompts), write }
  })

  return {
    vocabularySize: model.vocabularySize,
    uneven: true,
    sharesPrefixes: false,
    read,
    mixesRows: true,
    scorer: (beginnings) => Effect.succeed(scorer(beginnings)),
  }
})
