// @huggingface/transformers' `generate`, as its users run it: greedy, all prompts in one batch, padded on the left, from a
// folder that holds the model in its layout. The end of sequence is a token like any other.
import { AutoModelForCausalLM, env, Tensor } from "@huggingface/transformers"
import { answer } from "../support/Answer.ts"
import { readPrompts } from "../support/PassageQuestions.ts"

interface Settings {
  /** The model in transformers.js' layout. */
  readonly exported: string
  readonly prompts: string
  readonly newTokens: number
  readonly threads: number
}
const settings: Settings = JSON.parse(process.argv[2] ?? "{}")
const { newTokens, threads } = settings

env.allowRemoteModels = false
const prompts = readPrompts(settings.prompts)
const width = Math.max(...prompts.map(({ length }) => length))
const model = await AutoModelForCausalLM.from_pretrained(settings.exported, {
  dtype: "fp32",
  session_options: { intraOpNumThreads: threads },
})
const whole = (row: (prompt: readonly number[], padding: readonly number[]) => readonly number[]): Tensor =>
  new Tensor(
    "int64",
    BigInt64Array.from(
      prompts.flatMap((prompt) => row(prompt, Array<number>(width - prompt.length).fill(0))),
      BigInt,
    ),
    [prompts.length, width],
  )
const inputs = whole((prompt, padding) => [...padding, ...prompt])
const attention_mask = whole((prompt, padding) => [...padding, ...prompt.map(() => 1)])
const round = async () => {
  const started = performance.now()
  const made = await model.generate({
    inputs,
    attention_mask,
    do_sample: false,
    eos_token_id: [],
    max_new_tokens: newTokens,
  })
  const seconds = (performance.now() - started) / 1000 / newTokens
  if (!(made instanceof Tensor)) throw new Error("tokens were expected")
  const ids = Array.from(made.data, Number)
  const length = ids.length / prompts.length
  return { seconds, values: prompts.flatMap((_, row) => ids.slice(row * length + width, (row + 1) * length)) }
}
await round()
await answer(round)
