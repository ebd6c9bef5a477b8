import type { Passage, RetrievalData } from "@tandem/datasets"
import type { Prompts } from "@tandem/generator"
import { preparedQuestion } from "@tandem/objectives"
import { askable, readQuestions } from "@tandem/objectives/node/Questions"
import { SettingsError } from "@tandem/runs"
import { Effect } from "effect"

/** Questions with answers; passages that were found for them before are of no use here. */
export const questionsOf = Effect.fnUntraced(function* (
  files: readonly string[],
  field: "data" | "dev",
  settings: Parameters<typeof readQuestions>[2],
) {
  const questions = yield* readQuestions(files, field, settings)
  if (questions.kind === "raw") return questions
  return yield* new SettingsError({
    message: "these questions were prepared with their passages, which a joint run finds itself",
    field,
    file: files.join(", "),
    expected: "questions with answers",
    hint: "name the file that they were prepared from",
  })
})

/** The questions that a generator can be asked, and what there is to say about the others. */
export const askableData = Effect.fnUntraced(function* (
  data: RetrievalData,
  corpus: ReadonlyMap<string, Passage>,
  prompts: Pick<Prompts, "prompt" | "answer" | "settings">,
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
