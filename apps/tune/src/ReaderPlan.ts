import type { Example, Passage } from "@tandem/datasets"
import { makeLocalGenerator, type Prompts } from "@tandem/generator"
import type { LanguageModel } from "@tandem/models"
import { Random } from "@tandem/random"
import { Effect } from "effect"
import { fewestSteps, trainingCost } from "./Plan.ts"

/** Passages of a question, in training one by one, in evaluations and for answers all in one prompt. */
export const readerPassages = 3
/** Questions in a batch. */
export const readerBatch = 8
/** Held-out questions that answers are written for. */
export const readerAnswers = 100
/** Held-out questions whose answers are scored, at most. */
const mostMeasured = 200

/** Questions with answers, of the held-out ones as many as are measured. */
export const readerQuestions = (
  { train, dev }: { readonly train: readonly Example[]; readonly dev: readonly Example[] },
  random: Random,
): { readonly train: readonly Example[]; readonly dev: readonly Example[] } => {
  const answered = (examples: readonly Example[]) => examples.filter(({ answers }) => answers.length > 0)
  return { train: answered(train), dev: random.sample(answered(dev), mostMeasured) }
}

/** How quickly a model reads and writes, and how much of each a question takes. */
export interface ReaderSpeed {
  /** Tokens that are read in a second without learning. */
  readonly tokensPerSecond: number
  /** Seconds for a token that is written, beside others. */
  readonly secondsPerToken: number
  /** Tokens of a prompt without passages, with one and with all, and of an answer; means. */
  readonly prompt: { readonly alone: number; readonly one: number; readonly all: number }
  readonly answer: number
  /** Most tokens of an answer. */
  readonly longest: number
}

/** The steps that the minutes allow, up to those of the epochs, and the seconds that measuring and training take. */
export const planReader = (
  { tokensPerSecond, secondsPerToken, prompt, answer, longest }: ReaderSpeed,
  amounts: { readonly questions: number; readonly heldOut: number; readonly epochs: number; readonly minutes: number },
): { readonly steps: number; readonly seconds: number } => {
  const { questions, heldOut, epochs, minutes } = amounts
  // Before and after: answers without passages, with others' and with found ones, and with the one that answers.
  const scored = 2 * heldOut * (prompt.alone + prompt.one + 2 * prompt.all + 4 * answer)
  // Without passages and with found ones: before as long as they may be, after as those that were learned.
  const asked = 2 * Math.min(heldOut, readerAnswers)
  const measuring =
    (scored + 2 * asked * ((prompt.alone + prompt.all) / 2)) / tokensPerSecond +
    asked * (longest + answer) * secondsPerToken
  const perStep = (trainingCost * readerBatch * readerPassages * (prompt.one + answer)) / tokensPerSecond
  const wanted = Math.max(1, Math.ceil(questions / readerBatch)) * epochs
  const allowed = Math.floor((60 * minutes - measuring) / perStep)
  const steps = Math.max(Math.min(wanted, allowed), Math.min(wanted, fewestSteps))
  return { steps, seconds: measuring + steps * perStep }
}

const sampled = 8
/** Tokens that are written of each answer to see how long it takes. */
const tried = 8

/** Reads and writes answers to a few questions twice, since the first time compiles. */
export const measureReader = Effect.fnUntraced(function* (
  { model, prompts }: { readonly model: LanguageModel; readonly prompts: Prompts },
  examples: readonly Example[],
  corpus: readonly Passage[],
) {
  const passages = new Map(corpus.map((passage) => [passage.id, passage]))
  const random = Random.fromSeed(0)
  const asked = random.sample(examples, sampled).map(({ query, answers: [answer = ""], positives }) => {
    const one = positives.flatMap((id) => passages.get(id) ?? []).slice(0, 1)
    const all = [...one, ...random.sample(corpus, readerPassages - one.length)]
    const idsWith = (shown: readonly Passage[]) => prompts.prompt(query, shown).ids
    return { alone: idsWith([]), one: idsWith(one), all: idsWith(all), answer: prompts.answer(answer) }
  })
  const mean = (length: (one: (typeof asked)[number]) => number) =>
    asked.reduce((sum, each) => sum + length(each), 0) / asked.length
  const prompt = {
    alone: mean(({ alone }) => alone.length),
    one: mean(({ one }) => one.length),
    all: mean(({ all }) => all.length),
  }
  const answer = mean(({ answer: { ids } }) => ids.length)
  const generator = yield* makeLocalGenerator({ model })
  const seconds = Effect.fnUntraced(function* <A, E>(work: Effect.Effect<A, E>) {
    yield* work
    const began = performance.now()
    yield* work
    return (performance.now() - began) / 1000
  })
  const reading = yield* seconds(
    generator.score(asked.map(({ all, answer: said }) => ({ prompts: [{ ids: all }], answer: said }))),
  )
  const tokensPerSecond = (asked.length * (prompt.all + answer)) / reading
  const writing = yield* seconds(
    generator.generate(
      asked.map(({ all }) => ({ ids: all })),
      { maxTokens: tried },
    ),
  )
  const written = Math.max(0, writing - (asked.length * prompt.all) / tokensPerSecond)
  return {
    ...{ tokensPerSecond, prompt, answer, longest: prompts.settings.maxAnswer },
    secondsPerToken: written / (asked.length * tried),
  } satisfies ReaderSpeed
})
