// Answers of one model to prompts with one passage each, kept in a file from which a proof that was killed goes on.
import { existsSync, readFileSync } from "node:fs"
import { type AnswerReport, bootstrapMean, bootstrapRatio, evaluateAnswers } from "@tandem/evals"
import { writeWhole } from "@tandem/files/node/WriteWhole"
import { makeLocalGenerator, type Prompts } from "@tandem/generator"
import type { LanguageModel } from "@tandem/models"
import {
  evaluateVariants,
  foundPassages,
  goldPassage,
  type PreparedPassage,
  type PreparedQuestion,
} from "@tandem/objectives"
import { Effect, Schema } from "effect"
import type { PerQuestion } from "./Pieces.ts"

/** What a prompt holds: the best passage that was found, or the paragraph that the question was asked about. */
export const shownPassages = ["retrieved", "gold"] as const
export type ShownPassage = (typeof shownPassages)[number]

const Line = Schema.Struct({
  /** Question and passage. */
  key: Schema.String,
  nll: Schema.Number,
  tokens: Schema.Number,
  text: Schema.String,
  /** Its share of the time that its batch took. */
  seconds: Schema.Number,
})
type Line = typeof Line.Type

const passageOf = (question: PreparedQuestion, shown: ShownPassage): PreparedPassage | undefined =>
  shown === "gold" ? goldPassage(question) : foundPassages(question)[0]

const keyOf = (question: PreparedQuestion, passage: PreparedPassage): string => `${question.id} ${passage.id}`

/** Every question with each of the passages that it is shown, once. */
const asks = (questions: readonly PreparedQuestion[]): readonly PreparedQuestion[] => {
  const all = questions.flatMap((question) =>
    shownPassages.flatMap((shown) => {
      const passage = passageOf(question, shown)
      return passage === undefined
        ? []
        : [{ ...question, id: keyOf(question, passage), passages: [{ ...passage, score: 1 }] }]
    }),
  )
  return [...new Map(all.map((ask) => [ask.id, ask])).values()]
}

const readLines = (file: string): readonly Line[] => {
  if (!existsSync(file)) return []
  const decode = Schema.decodeUnknownSync(Schema.fromJsonString(Line))
  return readFileSync(file, "utf8")
    .trimEnd()
    .split("\n")
    .map((line) => decode(line))
}

/** Prompts that are answered before the file is added to. */
const together = 24

/** Answers what the file lacks, with a model that is only made where something is missing. */
export const answerInto = Effect.fnUntraced(function* <E, R>(
  file: string,
  model: Effect.Effect<LanguageModel, E, R>,
  { questions, prompts }: { readonly questions: readonly PreparedQuestion[]; readonly prompts: Prompts },
  log: (line: string) => void,
) {
  const lines = [...readLines(file)]
  const there = new Set(lines.map(({ key }) => key))
  const missing = asks(questions).filter(({ id }) => !there.has(id))
  if (missing.length === 0) return
  const generator = yield* makeLocalGenerator({ model: yield* model, batchSize: 12 })
  for (let start = 0; start < missing.length; start += together) {
    const some = missing.slice(start, start + together)
    const began = performance.now()
    const { retrieved } = yield* evaluateVariants(
      generator,
      { questions: some, prompts, k: 1, seed: 0, variants: ["retrieved"], written: some.length },
      () => {},
    )
    const seconds = (performance.now() - began) / 1000 / some.length
    const { ids, perQuestion, tokens } = retrieved!.likelihoods
    for (const [index, key] of ids.entries()) {
      const count = tokens![index]!
      const nll = perQuestion.nll![index]! * count
      lines.push({ key, nll, tokens: count, text: retrieved!.written[key] ?? "", seconds })
    }
    yield* Effect.promise(() => writeWhole(file, lines.map((line) => `${JSON.stringify(line)}\n`).join("")))
    log(`${start + some.length} of ${missing.length} prompts, ${seconds.toFixed(2)} s each`)
  }
}, Effect.scoped)

/** The first prompts that are answered, as token ids, with what a file's answers to them are. */
export const firstAnswers = (
  file: string,
  { questions, prompts }: { readonly questions: readonly PreparedQuestion[]; readonly prompts: Prompts },
  count: number,
) => {
  const lines = new Map(readLines(file).map((line) => [line.key, line]))
  return asks(questions)
    .slice(0, count)
    .flatMap(({ id, query, answer, passages }) => {
      const found = lines.get(id)
      const asked = { prompt: prompts.prompt(query, passages).ids, answer: prompts.answer(answer).ids }
      return found === undefined ? [] : [{ ...asked, nll: found.nll, text: found.text }]
    })
}

/** What the answers of a file that holds all of them come to: a report for each kind of passage, and the time they took. */
export const answersIn = (file: string, questions: readonly PreparedQuestion[]): AnswersFound => {
  const lines = new Map(readLines(file).map((line) => [line.key, line]))
  const report = (shown: ShownPassage): AnswerReport =>
    evaluateAnswers({
      results: questions.map((question) => {
        const passage = passageOf(question, shown)
        const line = passage && lines.get(keyOf(question, passage))
        if (line === undefined) throw new Error(`${file} lacks an answer to question ${question.id}`)
        const { id, answers } = question
        return { id, prediction: line.text, answers, likelihood: { logprob: -line.nll, tokens: line.tokens } }
      }),
    })
  return {
    reports: { retrieved: report("retrieved"), gold: report("gold") },
    seconds: [...lines.values()].reduce((sum, { seconds }) => sum + seconds, 0),
  }
}

export interface AnswersFound {
  readonly reports: Readonly<Record<ShownPassage, AnswerReport>>
  readonly seconds: number
}

const scored = ["exactMatch", "f1", "rougeL", "nll"] as const

/** Found answers as a record holds them. */
export const answerValues = ({ reports, seconds }: AnswersFound): PerQuestion => ({
  ...Object.fromEntries(
    shownPassages.flatMap((shown) => {
      const { perQuestion, tokens = [] } = reports[shown]
      const values = [...scored.map((name) => [name, perQuestion[name] ?? []] as const), ["tokens", tokens] as const]
      return values.map(([name, row]) => [`${shown}.${name}`, [...row]])
    }),
  ),
  seconds: [Math.round(seconds)],
})

/** Answers that a record holds, of these questions. */
export const answersOf = (values: PerQuestion, questions: readonly PreparedQuestion[]): AnswersFound => {
  const report = (shown: ShownPassage): AnswerReport => {
    const row = (name: string) => Float64Array.from(values[`${shown}.${name}`] ?? [])
    const [perQuestion, tokens] = [Object.fromEntries(scored.map((name) => [name, row(name)])), row("tokens")]
    const nats = row("nll").map((value, index) => value * tokens[index]!)
    const intervals = Object.fromEntries(
      scored.map((name) => [
        name,
        name === "nll" ? bootstrapRatio({ sums: nats, counts: tokens }) : bootstrapMean(row(name)),
      ]),
    )
    const means = Object.fromEntries(scored.map((name) => [name, intervals[name]!.estimate]))
    const ids = questions.map(({ id }) => id)
    return { metrics: { n: ids.length, ...means }, intervals, perQuestion, tokens, ids }
  }
  return { reports: { retrieved: report("retrieved"), gold: report("gold") }, seconds: values["seconds"]?.[0] ?? 0 }
}
