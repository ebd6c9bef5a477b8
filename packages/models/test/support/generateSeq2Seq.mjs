// Loads a folder with @huggingface/transformers alone and prints greedily generated tokens, for tests of another process.
import { AutoModelForSeq2SeqLM, env, pipeline, Tensor } from "@huggingface/transformers"

const { directory, dtypes, inputIds, attentionMask, text, count, textTokens } = JSON.parse(process.argv[2])
env.allowRemoteModels = false
const matrix = (rows) => new Tensor("int64", BigInt64Array.from(rows.flat(), BigInt), [rows.length, rows[0].length])
const results = {}
for (const dtype of dtypes) {
  const model = await AutoModelForSeq2SeqLM.from_pretrained(directory, { dtype })
  const made = await model.generate({
    inputs: matrix(inputIds),
    attention_mask: matrix(attentionMask),
    do_sample: false,
    max_new_tokens: count,
    min_new_tokens: count,
  })
  const sequences = made.tolist().map((row) => row.map(Number))
  const generate = await pipeline("text2text-generation", directory, { dtype })
  const [{ generated_text }] = await generate(text, { do_sample: false, max_new_tokens: textTokens })
  results[dtype] = { sequences, text: generated_text }
}
process.stdout.write(JSON.stringify(results))
