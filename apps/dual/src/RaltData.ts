import { allPassages, preparedQuestion } from "@tandem/objectives"
import type { Prepared } from "@tandem/objectives/node/PreparedFile"
import type { Questions } from "@tandem/objectives/node/Questions"
import { SettingsError } from "@tandem/runs"
import { hashPath } from "@tandem/runs/node/RunFiles"
import { Effect } from "effect"
import { makeFinder, type PassageSource } from "./FindPassages.ts"

/** Finds the passages of several sets of questions; sets that were prepared stay as they are. */
export const findAll = Effect.fnUntraced(function* (
  sets: readonly { readonly questions: Questions; readonly k: number; readonly files: readonly string[] }[],
  source: PassageSource,
  options: Parameters<typeof makeFinder>[2],
) {
  const raw = sets.flatMap(({ questions, files }) =>
    questions.kind === "raw" ? [{ data: questions.data, files }] : [],
  )
  const corpus = yield* allPassages(raw)
  const finder = raw.length === 0 ? undefined : yield* makeFinder(source, corpus, options)
  const results: Prepared[] = []
  for (const { questions, k, files } of sets) {
    if (questions.kind === "prepared" || finder === undefined) {
      if (questions.kind !== "prepared") continue
      const { header } = questions.prepared
      if (header.k < k) {
        return yield* new SettingsError({
          message: "fewer passages were prepared than are asked for",
          file: files.join(", "),
          field: "k",
          expected: `at least ${k}`,
          found: `${header.k}`,
          hint: "prepare the questions with a larger `k`",
        })
      }
      results.push(questions.prepared)
      continue
    }
    const { examples } = questions.data
    const found = yield* finder.find(examples, k)
    const data: Record<string, string> = {}
    for (const file of [...files, ...(source.corpus === undefined ? [] : [source.corpus])])
      data[file] = yield* hashPath(file)
    results.push({
      header: { k, foundBy: finder.foundBy, data },
      questions: examples.map((example, index) => preparedQuestion(example, found[index] ?? [], corpus)),
    })
  }
  return results
})
