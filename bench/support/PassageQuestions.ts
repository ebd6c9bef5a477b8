// Questions of SQuAD with the passages that BM25 finds for them, in the prompts that a reader is asked with, as token ids.
import { readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { readExamples } from "@tandem/datasets/node/Files"
import { defaultChat, makePrompts } from "@tandem/generator"
import { loadTokenizer } from "@tandem/models/node/LoadTokenizer"
import { Random } from "@tandem/random"
import { Bm25 } from "@tandem/store"
import { Effect } from "effect"
import { withFolder } from "./Folder.ts"
import { needs } from "./Material.ts"

/** A question: one prompt for each of its passages, and its answer with the token that ends it. */
export interface PassageQuestion {
  readonly prompts: readonly (readonly number[])[]
  readonly answer: readonly number[]
}

/** Longest prompt and longest answer in tokens. */
export const limits = { maxPrompt: 512, maxAnswer: 32 } as const

export const passageQuestions = async (
  model: string,
  { count, k }: { readonly count: number; readonly k: number },
): Promise<readonly (PassageQuestion & { readonly query: string })[]> => {
  const tokenizer = await Effect.runPromise(loadTokenizer(model))
  const { examples, corpus } = await Effect.runPromise(readExamples([needs("TANDEM_DATA", "squad/train.json")], {}))
  const end = tokenizer.tokenId("<|im_end|>")
  const prompts = makePrompts(
    { tokenizer, endTokenIds: end === undefined ? [] : [end], maxLength: 2048 },
    { template: defaultChat, ...limits },
  )
  const index = Bm25.make(corpus.values())
  const short = examples.filter(({ answers: [answer = ""] }) => answer !== "" && answer.length <= limits.maxAnswer)
  return Random.fromSeed(0)
    .shuffle(short)
    .slice(0, count)
    .map(({ query, answers }) => ({
      query,
      prompts: index.search(query, k).map(({ id }) => prompts.prompt(query, [corpus.get(id)!]).ids),
      answer: prompts.answer(answers[0]!).ids,
    }))
}

/** Uses a temporary file of JSON lines. */
export const withLines = <A>(rows: readonly unknown[], use: (file: string) => Promise<A>): Promise<A> =>
  withFolder((folder) => {
    const file = join(folder, "lines.jsonl")
    writeFileSync(file, rows.map((row) => `${JSON.stringify(row)}\n`).join(""))
    return use(file)
  })

const lines = (file: string): readonly string[] => readFileSync(file, "utf8").trimEnd().split("\n")

/** The questions of each line. */
export const readBatches = (file: string): readonly (readonly PassageQuestion[])[] =>
  lines(file).map((line) => JSON.parse(line))

/** A question on each line. */
export const readQuestions = (file: string): readonly PassageQuestion[] => lines(file).map((line) => JSON.parse(line))

/** A prompt's token ids on each line. */
export const readPrompts = (file: string): readonly (readonly number[])[] => lines(file).map((line) => JSON.parse(line))
