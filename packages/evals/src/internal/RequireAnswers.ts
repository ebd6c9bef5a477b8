import { InvalidEvaluation } from "../EvalsError.ts"

/** @throws InvalidEvaluation for no answer at all */
export const requireAnswers = (answers: readonly string[]): void => {
  if (answers.length === 0)
    throw new InvalidEvaluation({
      message: "a prediction cannot be scored without a reference answer",
      field: "answers",
      expected: "at least one answer",
      found: "none",
    })
}
