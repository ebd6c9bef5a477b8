import { InvalidTokenizer, type LanguageModel, type ModelError } from "@tandem/models"
import type { Runtime } from "@tandem/runtime"
import { Effect, Layer, Queue, type Scope, Semaphore, Stream } from "effect"
import { checkedOptions, type GenerateSettings } from "../CheckedOptions.ts"
import { InvalidGeneration, InvalidPrompt, InvalidTemplate } from "../Errors.ts"
import {
  type GenerateOptions,
  type Generation,
  type GenerationPart,
  Generator,
  type GeneratorError,
  type GeneratorShape,
  type ModelInput,
  type ScoreRequest,
} from "../Generator.ts"
import { type ChatTemplate, chatTemplateOf } from "../prompt/ChatTemplate.ts"
import { behindAnswer, endToken } from "../prompt/EndToken.ts"
import { framingTokens } from "../prompt/SpecialTokens.ts"
import type { MixedPart, RagGenerator, RagRequest } from "../rag/AnswerFromPassages.ts"
import { batchesOf } from "./Batches.ts"
import type { EngineOptions } from "./Engine.ts"
import { generationOf, searchTexts, writeTexts } from "./Generate.ts"
import { makeEngine } from "./MakeEngine.ts"
import { type MixedPrompts, mixTexts, writeMixture } from "./Mix.ts"
import { scoreTokens, type TokenRequest } from "./Score.ts"
import type { Writer } from "./Texts.ts"
import { inTurns } from "./Turns.ts"

export interface LocalGeneratorOptions extends EngineOptions {
  /** What the model is called in records; its architecture where absent. */
  readonly name?: string
  /** How conversations are laid out; the tokenizer's own template where absent. */
  readonly chatTemplate?: ChatTemplate
  /** Most prompts that are written side by side; 8 where absent. */
  readonly batchSize?: number
  /** Most places of one run, padding included; 4,096 where absent. */
  readonly places?: number
  /** Most answers that are streamed at once, each of which holds its keys and values; 4 where absent. */
  readonly streams?: number
}

/** A generator in this process: what it shares with others, and what needs its distributions. */
export type LocalGenerator = GeneratorShape & RagGenerator

/**
 * A generator over a model in this process: a decoder or an encoder-decoder, from weights or from an ONNX file. One graph
 * of any shape is compiled for writing and one for scoring, each when it is first used; weights that are resident buffers
 * are read where they are, so that a model that is being trained is evaluated without a copy and without compiling again.
 * It lives as long as the scope. One batch is written or scored at a time, and beside it as many streams as allowed: they take
 * turns step by step, so that nobody waits for another's whole text. Who comes when all places are taken waits for the first
 * that ends.
 */
export const makeLocalGenerator = Effect.fnUntraced(function* (
  options: LocalGeneratorOptions,
): Effect.fn.Return<LocalGenerator, ModelError, Runtime | Scope.Scope> {
  const { model, batchSize = 8, places = 4096, streams = 4 } = options
  const engine = inTurns(yield* makeEngine(options), yield* Semaphore.make(1))
  const [batches, streaming] = [yield* Semaphore.make(1), yield* Semaphore.make(streams)]

  const { before } = framingTokens(model.tokenizer)
  const templateOf = () => options.chatTemplate ?? chatTemplateOf(model.tokenizer)
  const idsOf = (input: ModelInput): readonly number[] => {
    if (typeof input !== "string" && "ids" in input) return input.ids
    if (typeof input === "string") {
      if (model.kind === "seq2seq") return model.tokenizer.encode(input).ids
      // What ends texts would end this one before its answer.
      return [...before, ...model.tokenizer.encode(input, { specialTokens: false }).ids]
    }
    const template = templateOf()
    if (template !== undefined) return model.tokenizer.encode(template.render(input), { specialTokens: false }).ids
    throw new InvalidPrompt({
      message: "the tokenizer has no chat template, so it cannot lay out a conversation",
      expected: "a text, or a tokenizer with a chat_template",
      found: "a conversation",
    })
  }
  const prompt = (input: ModelInput, answerTokens: number): readonly number[] => {
    const ids = idsOf(input)
    const alone = model.kind === "seq2seq"
    const needed = alone ? ids.length : ids.length + answerTokens
    if (ids.length === 0) throw new InvalidPrompt({ message: "a prompt has no tokens", expected: "at least one token" })
    if (needed > model.maxLength) {
      throw new InvalidPrompt({
        message: "a prompt is too long for the model",
        field: "prompt",
        expected: `at most ${model.maxLength} tokens${alone ? "" : ", the answer's included"}`,
        found: alone ? `${ids.length}` : `${ids.length} and an answer of ${answerTokens}`,
      })
    }
    return ids
  }
  const answerOf = ({ prompts, answer }: ScoreRequest): readonly number[] => {
    const ids = typeof answer === "string" ? model.tokenizer.encode(answer, { specialTokens: false }).ids : answer.ids
    if (ids.length === 0)
      throw new InvalidPrompt({ message: "an answer has no tokens", field: "answer", expected: "at least one token" })
    const all = typeof answer === "string" ? [...ids, endOf(prompts)] : ids
    // Besides the start token, which an encoder-decoder's answer begins with.
    if (all.length < answerPlaces(model)) return all
    throw new InvalidPrompt({
      message: "an answer is too long for the model",
      field: "answer",
      expected: `at most ${answerPlaces(model) - 1} tokens`,
      found: `${all.length}`,
    })
  }
  /** An answer to a conversation ends as the chat template has it. */
  const endOf = ([first]: readonly ModelInput[]): number => {
    const template = templateOf()
    const isChat = first !== undefined && typeof first !== "string" && !("ids" in first)
    const end = endToken(model, isChat && template !== undefined ? behindAnswer(first, template) : "")
    if (end !== undefined) return end
    throw new InvalidPrompt({ message: "the model has no token that ends a text", field: "eos_token_id" })
  }
  const settingsOf = (given: GenerateOptions): GenerateSettings => {
    const settings = checkedOptions(given)
    if (settings.format !== undefined) {
      throw new InvalidGeneration({
        message: "a local model is held to no `format`",
        field: "format",
        expected: "nothing",
        found: settings.format.kind,
      })
    }
    if (settings.maxTokens <= answerPlaces(model)) return settings
    throw new InvalidGeneration({
      message: "the model has no places for an answer of so many tokens",
      field: "maxTokens",
      expected: `at most ${answerPlaces(model)}`,
      found: `${settings.maxTokens}`,
    })
  }

  const score: GeneratorShape["score"] = (requests) =>
    Effect.flatMap(
      attempt((): readonly TokenRequest[] =>
        requests.map((request) => {
          const answer = answerOf(request)
          return { prompts: request.prompts.map((input) => prompt(input, answer.length)), answer }
        }),
      ),
      (tokens) => batches.withPermit(scoreTokens(model, engine, tokens, { places })),
    )

  const generate: GeneratorShape["generate"] = Effect.fnUntraced(function* (inputs, given = {}) {
    const settings = yield* attempt(() => settingsOf(given))
    const prompts = yield* attempt(() => inputs.map((input) => prompt(input, settings.maxTokens)))
    const found: (readonly Generation[])[] = []
    const limits = { members: batchSize, places, uneven: engine.uneven }
    for (const batch of batchesOf(
      prompts.map(({ length }) => length),
      limits,
    )) {
      const members = batch.map((index) => prompts[index]!)
      const texts = yield* batches.withPermit(Effect.scoped(texted(members, settings)))
      for (const [place, index] of batch.entries()) found[index] = texts[place]!
    }
    return found
  })
  const texted = Effect.fnUntraced(function* (prompts: readonly (readonly number[])[], settings: GenerateSettings) {
    const { decoding } = settings
    if (decoding.kind === "beam") return yield* searchTexts(model, engine, prompts, { ...settings, decoding })
    const writers = yield* writeTexts(model, engine, prompts, settings)
    const each = writers.length / prompts.length
    return prompts.map((_, index) => writers.slice(index * each, (index + 1) * each).map(generationOf))
  })

  /** What is written as soon as there is a place for it, as a stream. A reader that is slow keeps nobody from theirs. */
  const told = <A>(
    write: (tell: (part: A) => Effect.Effect<void>) => Effect.Effect<unknown, ModelError, Scope.Scope>,
  ) =>
    Stream.callback<A, GeneratorError>(
      (queue) =>
        streaming.withPermit(Effect.scoped(write((part) => Effect.asVoid(Queue.offer(queue, part))))).pipe(
          Effect.matchCauseEffect({
            onFailure: (cause) => Queue.failCause(queue, cause),
            onSuccess: () => Queue.end(queue),
          }),
        ),
      { bufferSize: Number.POSITIVE_INFINITY },
    )

  const stream: GeneratorShape["stream"] = (input, given = {}) =>
    Stream.unwrap(
      Effect.gen(function* () {
        const settings = yield* attempt(() => settingsOf(given))
        if (settings.decoding.kind === "beam") {
          return yield* new InvalidGeneration({
            message: "beam search writes its text at the end",
            field: "decoding",
            expected: "greedy or sample",
            found: "beam",
          })
        }
        const ids = yield* attempt(() => prompt(input, settings.maxTokens))
        return told<GenerationPart>((tell) =>
          writeTexts(model, engine, [ids], settings, ([writer]) =>
            writer === undefined ? Effect.void : tell(partOf(writer)),
          ),
        )
      }),
    )

  const mixtures = Effect.fnUntraced(function* (
    requests: readonly RagRequest[],
    { beams, maxTokens }: { readonly beams: number; readonly maxTokens: number },
  ): Effect.fn.Return<readonly MixedPrompts[], InputError> {
    yield* attempt(() => settingsOf({ maxTokens, decoding: { kind: "beam", beams } }))
    const questions = yield* attempt(() =>
      requests.map(({ prompts, logPrior }) => ({ logPrior, prompts: prompts.map((each) => prompt(each, maxTokens)) })),
    )
    if (
      !engine.uneven &&
      questions.some(({ prompts }) => prompts.some(({ length }) => length !== prompts[0]!.length))
    ) {
      return yield* new InvalidGeneration({
        message:
          "this model reads prompts of one length alone side by side, so that it cannot write from their mixture",
        field: "decoding",
        expected: "sequence or draw",
        found: "token",
      })
    }
    return questions
  })
  const mix: LocalGenerator["mix"] = Effect.fnUntraced(function* (requests, { beams, maxTokens }) {
    const questions = yield* mixtures(requests, { beams, maxTokens })
    const longest = questions.map(({ prompts }) => Math.max(0, ...prompts.map(({ length }) => length)))
    const found: Generation[] = []
    for (const alike of Map.groupBy(questions.keys(), (index) => questions[index]!.prompts.length).values()) {
      const rows = questions[alike[0]!]!.prompts.length * beams
      const limits = {
        members: Math.max(1, Math.floor((4 * batchSize) / rows)),
        places: places / rows,
        uneven: engine.uneven,
      }
      for (const batch of batchesOf(
        alike.map((index) => longest[index]!),
        limits,
      )) {
        const members = batch.map((at) => alike[at]!)
        const texts = yield* batches.withPermit(
          Effect.scoped(
            mixTexts(
              model,
              engine,
              members.map((index) => questions[index]!),
              { beams, maxTokens },
            ),
          ),
        )
        for (const [place, index] of members.entries()) found[index] = texts[place]!
      }
    }
    return found
  })

  const mixed: LocalGenerator["mixed"] = (request, { maxTokens }) =>
    Stream.unwrap(
      Effect.map(mixtures([request], { beams: 1, maxTokens }), ([question]) =>
        told<MixedPart>((tell) =>
          writeMixture(model, engine, question!, maxTokens, (writer, perPrompt) =>
            tell({ ...partOf(writer), perPrompt }),
          ),
        ),
      ),
    )

  const pieces: LocalGenerator["pieces"] = (ids) => {
    const textTo = (count: number): string =>
      model.tokenizer.decode(ids.slice(0, count).filter((id) => !model.endTokenIds.includes(id)))
    const whole = textTo(ids.length)
    // Later tokens may change what earlier ones were written as: of each beginning counts what stays.
    let end = 0
    const ends = ids.map((_, index) => {
      const text = textTo(index + 1)
      let same = 0
      while (same < text.length && text[same] === whole[same]) same++
      end = index === ids.length - 1 ? whole.length : Math.max(end, same)
      return end
    })
    return ends.map((until, index) => whole.slice(ends[index - 1] ?? 0, until))
  }

  return { model: options.name ?? architectureOf(model), score, generate, stream, mix, mixed, pieces }
})

/** `Generator` over a model in this process. */
export const layerLocal = (options: LocalGeneratorOptions): Layer.Layer<Generator, ModelError, Runtime> =>
  Layer.effect(Generator, makeLocalGenerator(options))

const architectureOf = ({ source }: LanguageModel): string => `${source.huggingFace["model_type"] ?? "language model"}`

/** Most tokens of an answer beside its prompt: an encoder-decoder's own table of positions, which relative ones lack. */
const answerPlaces = (model: LanguageModel): number =>
  model.kind === "seq2seq" && model.config.positions.kind === "absolute"
    ? model.config.positions.count
    : Number.POSITIVE_INFINITY

/** What has become certain of a text, and the tokens of the last step. */
const partOf = (writer: Writer): GenerationPart => ({
  text: writer.fresh(),
  ids: writer.ids.slice(-1),
  logprobs: writer.logprobs.slice(-1),
  ...(writer.finish !== undefined && { finish: writer.finish }),
})

type InputError = InvalidPrompt | InvalidTemplate | InvalidTokenizer | InvalidGeneration

const isInputError = (error: unknown): error is InputError =>
  error instanceof InvalidPrompt ||
  error instanceof InvalidTemplate ||
  error instanceof InvalidTokenizer ||
  error instanceof InvalidGeneration

const attempt = <A>(body: () => A): Effect.Effect<A, InputError> =>
  Effect.suspend(() => {
    try {
      return Effect.succeed(body())
    } catch (error) {
      return isInputError(error) ? Effect.fail(error) : Effect.die(error)
    }
  })
