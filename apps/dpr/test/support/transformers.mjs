// Loads a folder with @huggingface/transformers alone and prints the embeddings of texts, for tests of another process.
import { env, pipeline } from "@huggingface/transformers"

const { directory, texts, dtype, pooling, normalize } = JSON.parse(process.argv[2])
env.allowRemoteModels = false
const extract = await pipeline("feature-extraction", directory, { dtype })
const output = await extract(texts, { pooling, normalize })
process.stdout.write(JSON.stringify({ dims: output.dims, data: [...output.data] }))
