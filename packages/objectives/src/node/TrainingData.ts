import { type Example, type InstructionExample, instructionFormats, type RetrievalData } from "@tandem/datasets"
import { fileFormat } from "@tandem/datasets/node/FileFormat"
import { SettingsError } from "@tandem/runs"
import { Effect } from "effect"
import { readPassages } from "./Corpus.ts"
import { type Instructions, isSetsFile, readPlainInstructions, readSetsFile } from "./InstructionSets.ts"
import { isPrepared } from "./PreparedFile.ts"
import { type Questions, readQuestions } from "./Questions.ts"

/** What a language model is trained on: questions that passages are found for, and texts that stand alone. */
export interface TrainingData {
  readonly questions: Questions | undefined
  /** Of several files one after another; nothing where there are none. */
  readonly instructions: Instructions | undefined
}

/** How training data are read. */
export interface TrainingDataOptions {
  readonly corpus?: string
  readonly format?: string
  /** Draws from instruction sets. */
  readonly seed: number
}

/**
 * Reads what a language model is trained on, each file by its content: questions with answers or one file of prepared ones,
 * conversations (`messages`), texts in segments, and files that name instruction sets with templates and rates.
 */
export const readTrainingData = Effect.fnUntraced(function* (
  files: readonly string[],
  { seed, ...options }: TrainingDataOptions,
) {
  const format = instructionFormats.find((name) => name === options.format)
  const kinds = yield* Effect.forEach(files, (file) => trainingKind(file, options.format))
  const of = (kind: Kind): readonly string[] => files.filter((_, index) => kinds[index] === kind)
  const [asked, plain] = [of("questions"), of("instructions")]
  const read = [
    ...(plain.length === 0 ? [] : [yield* readPlainInstructions(plain, format)]),
    ...(yield* Effect.forEach(of("sets"), (file) => readSetsFile(file, seed))),
  ]
  const own = asked.length === 0 ? undefined : yield* readQuestions(asked, "data", options)
  const questions = yield* withQuestions(
    own,
    read.flatMap((each) => each.asked),
    options.corpus,
  )
  const data: TrainingData = {
    questions,
    instructions:
      read.length === 0
        ? undefined
        : {
            texts: read.flatMap(({ texts }) => texts),
            asked: read.flatMap((each) => each.asked),
            sets: read.flatMap(({ sets }) => sets),
            warnings: read.flatMap(({ warnings }) => warnings),
            files: read.flatMap((each) => each.files),
          },
  }
  return data
})

type Kind = "questions" | "instructions" | "sets"

/** What a file of training data is, by its content or by the format that is named. */
export const trainingKind = Effect.fnUntraced(function* (file: string, format: string | undefined) {
  if (yield* isSetsFile(file)) return "sets" satisfies Kind
  if (yield* isPrepared(file)) return "questions" satisfies Kind
  const found = format ?? (yield* fileFormat(file))
  return instructionFormats.some((name) => name === found)
    ? ("instructions" satisfies Kind)
    : ("questions" satisfies Kind)
})

/** Questions together with those of instruction sets that passages are found for. */
const withQuestions = Effect.fnUntraced(function* (
  own: Questions | undefined,
  asked: readonly InstructionExample[],
  corpus: string | undefined,
) {
  if (asked.length === 0) return own
  if (own?.kind === "prepared") {
    return yield* new SettingsError({
      message: "passages cannot be found for instruction sets beside questions that were prepared",
      field: "data",
      expected: "instruction sets without `passages`, or questions that were not prepared",
    })
  }
  const examples = yield* Effect.forEach(asked, questionOf)
  const data: Pick<RetrievalData, "examples" | "corpus"> = own?.data ?? {
    examples: [],
    corpus: corpus === undefined ? new Map() : (yield* readPassages(corpus)).corpus,
  }
  // What is drawn again is another example of its own.
  const numbered = examples.map((example, index) => ({ ...example, id: `${example.id}@${index}` }))
  const questions: Questions = {
    kind: "raw",
    data: { examples: [...data.examples, ...numbered], corpus: data.corpus },
    warnings: own?.warnings ?? [],
  }
  return questions
})

/** A conversation of one question and its answer as an example without passages. */
const questionOf = (example: InstructionExample): Effect.Effect<Example, SettingsError> => {
  const [question, answer] = example.kind === "messages" ? example.messages : []
  const isSingle = example.kind === "messages" && example.messages.length === 2
  if (!isSingle || question?.role !== "user" || answer?.role !== "assistant") {
    return Effect.fail(
      new SettingsError({
        message: `${example.id} of the instruction set ${example.set ?? ""} is more than a question and its answer`,
        field: "data",
        expected: "one turn of the user and one of the assistant, where passages are found for a set",
        hint: "leave `passages` out of that set",
      }),
    )
  }
  const { id, weight } = example
  return Effect.succeed({
    ...{ id, query: question.content, response: answer.content, answers: [answer.content] },
    ...{ positives: [], negatives: [] },
    ...(weight === undefined ? {} : { weight }),
  })
}
