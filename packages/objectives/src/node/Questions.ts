import { formats, type Passage, type RetrievalData } from "@tandem/datasets"
import { readExamples } from "@tandem/datasets/node/Files"
import { InvalidPrompt, type Prompts } from "@tandem/generator"
import { SettingsError } from "@tandem/runs"
import { Effect } from "effect"
import type { PreparedQuestion } from "../ralt/PreparedQuestion.ts"
import { answerOf, preparedQuestion } from "../ralt/PrepareQuestion.ts"
import { namedCorpus } from "./Corpus.ts"
import { isPrepared, type Prepared, readPrepared } from "./PreparedFile.ts"

/** Questions with answers, whose passages are found later or were found before. */
export type Questions =
  | {
      readonly kind: "raw"
      readonly data: Pick<RetrievalData, "examples" | "corpus">
      readonly warnings: readonly string[]
    }
  | { readonly kind: "prepared"; readonly prepared: Prepared }

/** Where questions come from beside their files. */
export interface QuestionSource {
  readonly corpus?: string
  readonly format?: string
  /** What becomes of questions without answers; `kept` where nobody asks for answers. Default `left out`. */
  readonly unanswered?: "left out" | "kept"
}

/** Reads questions with answers, or one file of prepared ones. Questions without answers are left out, and counted. */
export const readQuestions = Effect.fnUntraced(function* (
  files: readonly string[],
  field: "data" | "dev",
  { corpus, format, unanswered = "left out" }: QuestionSource,
) {
  const [first = ""] = files
  if (yield* isPrepared(first)) {
    if (files.length > 1) {
      return yield* new SettingsError({
        message: "prepared questions stand alone",
        field,
        file: first,
        expected: "one file",
        found: `${files.length} files`,
        hint: "prepare all questions together",
      })
    }
    return { kind: "prepared", prepared: yield* readPrepared(first) } satisfies Questions
  }
  const known = formats.find((name) => name === format)
  if (format !== undefined && known === undefined) {
    return yield* new SettingsError({
      message: `${format} is not a format of examples`,
      field: "format",
      expected: formats.join(", "),
      found: format,
    })
  }
  const named = corpus === undefined ? undefined : yield* namedCorpus(corpus)
  const all = yield* readExamples(files, {
    requirePositives: false,
    ...(named === undefined ? {} : { corpus: named.corpus }),
    ...(known === undefined ? {} : { format: known }),
  })
  const examples = all.examples.filter((example) => unanswered === "kept" || answerOf(example) !== undefined)
  if (examples.length === 0) {
    return yield* new SettingsError({
      message: "no question has an answer",
      field,
      file: files.join(", "),
      expected: "`response` or `answers` of each question",
      found: `${all.examples.length} questions without`,
    })
  }
  const left = all.examples.length - examples.length
  const warnings = [...(named?.warnings ?? []), ...all.warnings.map(({ message }) => message)]
  if (left > 0) warnings.push(`${left} of ${all.examples.length} questions have no answer and were left out`)
  return { kind: "raw", data: { ...all, examples }, warnings } satisfies Questions
})

/** The questions that a model can be asked: an answer is never cut, and a prompt has to fit without context. */
export const askable = (
  questions: readonly PreparedQuestion[],
  prompts: Pick<Prompts, "prompt" | "answer">,
  field: "data" | "dev",
): Effect.Effect<
  { readonly questions: readonly PreparedQuestion[]; readonly warnings: readonly string[] },
  InvalidPrompt
> =>
  Effect.suspend(() => {
    let first: InvalidPrompt | undefined
    const fit = questions.filter(({ query, answer }) => {
      try {
        prompts.answer(answer)
        prompts.prompt(query, [])
        return true
      } catch (cause) {
        if (!(cause instanceof InvalidPrompt)) throw cause
        first ??= cause
        return false
      }
    })
    if (first !== undefined && fit.length === 0) return Effect.fail(first)
    const left = questions.length - fit.length
    return Effect.succeed({
      questions: fit,
      warnings:
        first === undefined
          ? []
          : [`${left} of ${questions.length} questions of \`${field}\` were left out: ${first.message}`],
    })
  })

/** The questions that a generator can be asked, and what there is to say about the others. */
export const askableData = Effect.fnUntraced(function* (
  data: RetrievalData,
  corpus: ReadonlyMap<string, Passage>,
  prompts: Pick<Prompts, "prompt" | "answer">,
  field: "data" | "dev",
) {
  const { questions, warnings } = yield* askable(
    data.examples.map((example) => preparedQuestion(example, [], corpus)),
    prompts,
    field,
  )
  const kept = new Set(questions.map(({ id }) => id))
  return { data: { ...data, examples: data.examples.filter(({ id }) => kept.has(id)) }, questions, warnings }
})

/** Questions whose passages a command finds itself; a file of prepared ones is refused. */
export const rawQuestions = Effect.fnUntraced(function* (
  files: readonly string[],
  field: "data" | "dev",
  settings: Parameters<typeof readQuestions>[2],
) {
  const questions = yield* readQuestions(files, field, settings)
  if (questions.kind === "raw") return questions
  return yield* new SettingsError({
    message: "these questions were prepared with their passages, which this command finds itself",
    field,
    file: files.join(", "),
    expected: "questions with answers",
    hint: "name the file that they were prepared from",
  })
})

/** What word pieces of a tiny model are made of. */
export const textsOf = (questions: Questions): readonly string[] =>
  questions.kind === "raw"
    ? [
        ...[...questions.data.corpus.values()].map(({ text }) => text),
        ...questions.data.examples.flatMap(({ query, response, answers }) => [query, response ?? "", ...answers]),
      ]
    : questions.prepared.questions.flatMap(({ query, answers, passages }) => [
        ...passages.map(({ text }) => text),
        query,
        ...answers,
      ])
