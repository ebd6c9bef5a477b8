import type { LanguageModel, ModelError } from "@tandem/models"
import { Random } from "@tandem/random"
import { Effect, type Scope } from "effect"
import type { GenerateSettings } from "../CheckedOptions.ts"
import type { Decoding, Generation } from "../Generator.ts"
import { advanceBeams, type BeamOptions, type BeamSearch, beginBeams } from "./Beams.ts"
import type { Engine, NextLogits } from "./Engine.ts"
import { candidatesOf, draw, largest, penalize } from "./Processors.ts"
import { makeWriter, type Writer } from "./Texts.ts"

/** The logits of one row among those of a step. */
const rowOf = ({ logits }: NextLogits, row: number, size: number): Float32Array =>
  logits.subarray(row * size, (row + 1) * size)

/** Text of one batch of prompts by greedy choice or by drawing: `sequences` writers for each prompt, in order. */
export const writeTexts = Effect.fnUntraced(function* (
  model: LanguageModel,
  engine: Engine,
  prompts: readonly (readonly number[])[],
  settings: GenerateSettings,
  onStep: (writers: readonly Writer[]) => Effect.Effect<void> = () => Effect.void,
): Effect.fn.Return<readonly Writer[], ModelError, Scope.Scope> {
  const { decoding, maxTokens, repetitionPenalty, stop } = settings
  const size = engine.vocabularySize
  const { lengths, next: first, write } = yield* engine.read(prompts)
  const sequences = decoding.kind === "sample" ? (decoding.sequences ?? 1) : 1
  const ends = { endTokenIds: model.endTokenIds, maxTokens, stop }
  const rows = prompts.flatMap((prompt) =>
    Array.from({ length: sequences }, (_, sequence) => ({
      prompt,
      writer: makeWriter(model.tokenizer, ends),
      random: Random.fromSeed(`${decoding.kind === "sample" ? (decoding.seed ?? 0) : 0}`).derive(sequence, ...prompt),
    })),
  )
  const begin = startOf(model)
  const take = ({ prompt, writer, random }: (typeof rows)[number], logits: Float32Array, normalizer: number): void => {
    const penalized = penalize(logits, [...(first === undefined ? begin : prompt), ...writer.ids], repetitionPenalty)
    const id = decoding.kind === "sample" ? draw(candidatesOf(penalized, decoding), random) : largest(penalized)
    writer.push(id, logits[id]! - normalizer)
  }
  const writers = rows.map(({ writer }) => writer)
  if (first !== undefined) {
    for (const [row, each] of rows.entries()) {
      const at = Math.floor(row / sequences)
      take(each, rowOf(first, at, size), first.normalizers[at]!)
    }
    yield* onStep(writers)
  }
  const { step } = yield* write(rows.length, begin.length + maxTokens)
  for (let column = 0; writers.some(({ finish }) => finish === undefined); column++) {
    const open = rows.filter(({ writer }) => writer.finish === undefined)
    const next = yield* step(
      rows.map(({ writer }, row) => ({
        ids: writer.finish === undefined ? [[...begin, ...writer.ids][column]!] : [],
        start: lengths[Math.floor(row / sequences)]! + column,
      })),
      column,
    )
    for (const [index, each] of open.entries()) take(each, rowOf(next, index, size), next.normalizers[index]!)
    yield* onStep(writers)
  }
  return writers
})

/** Texts of one batch of prompts by beam search. */
export const searchTexts = Effect.fnUntraced(function* (
  model: LanguageModel,
  engine: Engine,
  prompts: readonly (readonly number[])[],
  settings: GenerateSettings & { readonly decoding: Extract<Decoding, { kind: "beam" }> },
): Effect.fn.Return<readonly (readonly Generation[])[], ModelError, Scope.Scope> {
  const { decoding, maxTokens, repetitionPenalty } = settings
  const { beams, sequences = 1 } = decoding
  const size = engine.vocabularySize
  const { lengths, next: first, write } = yield* engine.read(prompts)
  const begin = startOf(model)
  const options = prompts.map(
    (prompt): BeamOptions => ({
      ...decoding,
      endTokenIds: model.endTokenIds,
      maxTokens,
      repetitionPenalty,
      prompt: first === undefined ? begin : prompt,
    }),
  )
  let searches: readonly BeamSearch[] = options.map(beginBeams)
  if (first !== undefined) {
    searches = searches.map((search, index) => {
      const each = Array.from({ length: beams }, () => rowOf(first, index, size))
      return advanceBeams(search, each, new Array<number>(beams).fill(first.normalizers[index]!), options[index]!)
    })
  }
  const { step, reorder } = yield* write(prompts.length * beams, begin.length + maxTokens)
  for (let column = 0; searches.some(({ done }) => !done); column++) {
    const rows = searches.flatMap(({ running, done }, index) =>
      Array.from({ length: beams }, (_, beam) => {
        const token = done || running[beam] === undefined ? undefined : [...begin, ...running[beam].ids][column]
        return { ids: token === undefined ? [] : [token], start: lengths[index]! + column }
      }),
    )
    const next = yield* step(rows, column)
    let read = 0
    const advanced = searches.map((search, index) => {
      if (search.done) return search
      const places = search.running.map(() => read++)
      return advanceBeams(
        search,
        places.map((place) => rowOf(next, place, size)),
        places.map((place) => next.normalizers[place]!),
        options[index]!,
      )
    })
    const parents = advanced.flatMap(({ running, done }, index) =>
      Array.from({ length: beams }, (_, beam) => index * beams + (done ? beam : (running[beam]?.parent ?? beam))),
    )
    yield* reorder(parents)
    searches = advanced
  }
  return searches.map(({ ended }) =>
    ended.slice(0, sequences).map(({ ids, logprobs, score, byToken }) => ({
      text: model.tokenizer.decode(ids.filter((id) => !model.endTokenIds.includes(id))),
      ids,
      logprobs,
      score,
      finish: byToken ? "end" : "length",
    })),
  )
})

/** What a text begins with that no step before it has read: an encoder-decoder's start token. */
export const startOf = (model: LanguageModel): readonly number[] =>
  model.kind === "seq2seq" ? [model.startTokenId] : []

/** What a writer has written. */
export const generationOf = ({ ids, logprobs, text, finish }: Writer): Generation => ({
  text: text(),
  ids,
  logprobs,
  score: logprobs.reduce((sum, each) => sum + each, 0),
  finish: finish ?? "length",
})
