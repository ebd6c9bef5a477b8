import { instructionFormats } from "@tandem/datasets"
import { SettingsError } from "@tandem/runs"
import { Effect } from "effect"
import { type Instructions, readPlainInstructions } from "./InstructionSets.ts"
import { type QuestionSource, type Questions, readQuestions } from "./Questions.ts"
import { trainingKind } from "./TrainingData.ts"

/** What a language model is measured on: questions that are answered, or texts that stand alone. */
export type EvaluationData =
  | { readonly kind: "questions"; readonly questions: Questions }
  | { readonly kind: "texts"; readonly instructions: Instructions }

/** Which of the two evaluation files hold, by their content; both together end in `SettingsError`. */
export const evaluationKind = Effect.fnUntraced(function* (
  files: readonly string[],
  field: "data" | "dev",
  format: string | undefined,
) {
  const kinds = yield* Effect.forEach(files, (file) => trainingKind(file, format))
  const texts = files.filter((_, index) => kinds[index] === "instructions")
  if (texts.length === 0) return "questions" satisfies EvaluationData["kind"]
  if (texts.length === files.length) return "texts" satisfies EvaluationData["kind"]
  return yield* new SettingsError({
    message: "questions, and texts that stand alone, are not measured together",
    field,
    file: files.join(", "),
    expected: "questions with answers; or conversations and texts in segments",
    found: `conversations or texts in segments in ${texts.join(", ")} alone`,
    hint: "measure one of them after training, with `ralt eval`",
  })
})

/** Reads what a language model is measured on: questions with answers, or conversations and texts in segments. */
export const readEvaluationData = Effect.fnUntraced(function* (
  files: readonly string[],
  field: "data" | "dev",
  source: QuestionSource,
): Effect.fn.Return<
  EvaluationData,
  Effect.Error<ReturnType<typeof evaluationKind | typeof readQuestions | typeof readEvaluationTexts>>
> {
  if ((yield* evaluationKind(files, field, source.format)) === "questions")
    return { kind: "questions", questions: yield* readQuestions(files, field, source) }
  return { kind: "texts", instructions: yield* readEvaluationTexts(files, source.format) }
})

/** Reads conversations and texts in segments. */
export const readEvaluationTexts = (files: readonly string[], format: string | undefined) =>
  readPlainInstructions(
    files,
    instructionFormats.find((name) => name === format),
  )
