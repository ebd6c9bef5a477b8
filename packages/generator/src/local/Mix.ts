import type { LanguageModel, ModelError } from "@tandem/models"
import { Effect, type Scope } from "effect"
import type { Generation } from "../Generator.ts"
import { advanceBeams, type BeamOptions, type BeamSearch, beginBeams } from "./Beams.ts"
import type { Engine, NextLogits } from "./Engine.ts"
import { startOf } from "./Generate.ts"
import { largest } from "./Processors.ts"
import { makeWriter, type Writer } from "./Texts.ts"

/** A question's prompts, one for each passage, and the logarithms of what each counts for. */
export interface MixedPrompts {
  readonly prompts: readonly (readonly number[])[]
  readonly logPrior: readonly number[]
}

/**
 * Writes answers from mixtures: at each step the distributions behind all prompts of a question are averaged by their prior,
 * log Σ_i p_i p(v | prompt_i, y), and all of them go on with the same token. The likeliest token is taken, or with several
 * beams the search of `searchTexts` is done on the mixture. All questions have as many prompts.
 */
export const mixTexts = Effect.fnUntraced(function* (
  model: LanguageModel,
  engine: Engine,
  questions: readonly MixedPrompts[],
  { beams, maxTokens }: { readonly beams: number; readonly maxTokens: number },
): Effect.fn.Return<readonly Generation[], ModelError, Scope.Scope> {
  const k = questions[0]?.prompts.length ?? 0
  const size = engine.vocabularySize
  const { lengths, next: first, write } = yield* engine.read(questions.flatMap(({ prompts }) => prompts))
  const begin = startOf(model)
  const options: BeamOptions = {
    ...{ kind: "beam", beams, prompt: [], endTokenIds: model.endTokenIds, maxTokens, repetitionPenalty: 1 },
    // One beam is the greedy choice, which ends with its first text.
    earlyStopping: beams === 1,
  }
  const advance = beams === 1 ? advanceGreedily : advanceBeams
  let searches: readonly BeamSearch[] = questions.map(() => beginBeams(options))
  if (first !== undefined) {
    searches = searches.map((search, question) => {
      const mixed = mixture(first, questions[question]!.logPrior, (passage) => question * k + passage, size)
      return advance(search, new Array<Float32Array>(beams).fill(mixed), new Array<number>(beams).fill(0), options)
    })
  }
  // Rows of one prompt are neighbours: question, passage, beam.
  const { step, reorder } = yield* write(questions.length * k * beams, begin.length + maxTokens)
  const each = <A>(row: (question: number, passage: number, beam: number) => A): A[] =>
    questions.flatMap((_, question) =>
      Array.from({ length: k * beams }, (__, at) => row(question, Math.floor(at / beams), at % beams)),
    )
  for (let column = 0; searches.some(({ done }) => !done); column++) {
    const tokenOf = (question: number, beam: number): number | undefined => {
      const { running, done } = searches[question]!
      return done || running[beam] === undefined ? undefined : [...begin, ...running[beam].ids][column]
    }
    const rows = each((question, passage, beam) => {
      const token = tokenOf(question, beam)
      return { ids: token === undefined ? [] : [token], start: lengths[question * k + passage]! + column }
    })
    const next = yield* step(rows, column)
    let read = 0
    const places = rows.map(({ ids }) => (ids.length === 0 ? undefined : read++))
    const placeOf = (question: number, passage: number, beam: number): number =>
      places[(question * k + passage) * beams + beam]!
    const advanced = searches.map((search, question) => {
      if (search.done) return search
      const { logPrior } = questions[question]!
      const mixed = search.running.map((_, beam) =>
        mixture(next, logPrior, (passage) => placeOf(question, passage, beam), size),
      )
      return advance(
        search,
        mixed,
        mixed.map(() => 0),
        options,
      )
    })
    if (beams > 1) {
      yield* reorder(
        each((question, passage, beam) => {
          const { running, done } = advanced[question]!
          return (question * k + passage) * beams + (done ? beam : (running[beam]?.parent ?? beam))
        }),
      )
    }
    searches = advanced
  }
  return searches.map(({ ended: [best] }) => ({
    text: model.tokenizer.decode(best!.ids.filter((id) => !model.endTokenIds.includes(id))),
    ids: best!.ids,
    logprobs: best!.logprobs,
    score: best!.score,
    finish: best!.byToken ? "end" : "length",
  }))
})

/**
 * Writes one answer from a mixture as `mixTexts` with one beam does, and tells after each token what was written and log p of
 * that token behind each prompt.
 */
export const writeMixture = Effect.fnUntraced(function* (
  model: LanguageModel,
  engine: Engine,
  { prompts, logPrior }: MixedPrompts,
  maxTokens: number,
  onStep: (writer: Writer, perPrompt: readonly number[]) => Effect.Effect<void>,
): Effect.fn.Return<void, ModelError, Scope.Scope> {
  const size = engine.vocabularySize
  const { lengths, next: first, write } = yield* engine.read(prompts)
  const begin = startOf(model)
  const writer = makeWriter(model.tokenizer, { endTokenIds: model.endTokenIds, maxTokens, stop: [] })
  const take = (next: NextLogits): Effect.Effect<void> => {
    const mixed = mixture(next, logPrior, (prompt) => prompt, size)
    const id = largest(mixed)
    writer.push(id, mixed[id]!)
    return onStep(
      writer,
      prompts.map((_, prompt) => next.logits[prompt * size + id]! - next.normalizers[prompt]!),
    )
  }
  if (first !== undefined) yield* take(first)
  if (writer.finish !== undefined) return
  const { step } = yield* write(prompts.length, begin.length + maxTokens)
  for (let column = 0; writer.finish === undefined; column++) {
    const token = [...begin, ...writer.ids][column]!
    const rows = lengths.map((length) => ({ ids: [token], start: length + column }))
    yield* take(yield* step(rows, column))
  }
})

/** One step of the greedy choice, as a search of one beam. */
const advanceGreedily = (
  search: BeamSearch,
  [logprobs]: readonly Float32Array[],
  _normalizers: readonly number[],
  { endTokenIds, maxTokens }: BeamOptions,
): BeamSearch => {
  const id = largest(logprobs!)
  const before = search.running[0]!
  const sum = before.sum + logprobs![id]!
  const text = { ids: [...before.ids, id], logprobs: [...before.logprobs, logprobs![id]!] }
  const byToken = endTokenIds.includes(id)
  if (!byToken && text.ids.length < maxTokens) return { ...search, running: [{ ...text, sum, parent: 0 }] }
  return { running: [], ended: [{ ...text, score: sum, byToken }], done: true }
}

/** log Σ_i p_i p_i(v) for every token v, of rows of a step. */
const mixture = (
  { logits, normalizers }: NextLogits,
  logPrior: readonly number[],
  placeOf: (passage: number) => number,
  size: number,
): Float32Array => {
  const rows = logPrior.map((prior, passage) => {
    const place = placeOf(passage)
    return { start: place * size, shift: prior - normalizers[place]! }
  })
  const mixed = new Float32Array(size)
  for (let token = 0; token < size; token++) {
    let most = Number.NEGATIVE_INFINITY
    for (const { start, shift } of rows) most = Math.max(most, logits[start + token]! + shift)
    let sum = 0
    for (const { start, shift } of rows) sum += Math.exp(logits[start + token]! + shift - most)
    mixed[token] = most + Math.log(sum)
  }
  return mixed
}
