// Loads a folder with @huggingface/transformers alone and prints greedily generated tokens, for tests of another process.
import { AutoModelForCausalLM, env, pipeline, Tensor } from "@huggingface/transformers"

const { directory, dtype, prompt, text, count } = JSON.parse(process.argv[2])
env.allowRemoteModels = false
const settings = { do_sample: false, max_new_tokens: count, min_new_tokens: count }
const model = await AutoModelForCausalLM.from_pretrained(directory, { dtype })
const input_ids = new Tensor("int64", BigInt64Array.from(prompt, BigInt), [1, prompt.length])
const made = await model.generate({ inputs: input_ids, ...settings })
const tokens = Array.from(made.data, Number).slice(prompt.length)
const generate = await pipeline("text-generation", directory, { dtype })
const [{ generated_text }] = await generate(text, { ...settings, return_full_text: false })
process.stdout.write(JSON.stringify({ tokens, text: generated_text }))
