import type { Schema } from "effect"
import { Refusal } from "../../Refusal.ts"
import { checkEmbeds, checkTexts, tokenized } from "../Checks.ts"
import type { Call, Desk } from "../Desk.ts"
import type { EmbeddingsBody } from "../RequestBodies.ts"
import { embedAs } from "./Models.ts"

/** `/v1/embeddings` as OpenAI has it, and `input_type` besides. */
export const embeddings = async (
  desk: Desk,
  { body, signal }: Call<Schema.Schema.Type<typeof EmbeddingsBody>>,
): Promise<Response> => {
  checkEmbeds(desk)
  const as = embedAs(desk, body.model, body.input_type)
  const texts = typeof body.input === "string" ? [body.input] : body.input
  checkTexts(desk, texts, "input")
  checkDimensions(desk, body.dimensions)
  const { tokens, embed } = await tokenized(desk, texts, { as, param: "input", signal })
  const vectors = await embed()
  desk.telemetry.tokens("read", tokens)
  const written = body.encoding_format === "base64" ? base64 : numbers
  return Response.json({
    object: "list",
    model: body.model,
    data: vectors.map((vector, index) => ({ object: "embedding", index, embedding: written(vector) })),
    usage: { prompt_tokens: tokens, total_tokens: tokens },
  })
}

const checkDimensions = ({ served: { facts } }: Desk, dimensions: number | null | undefined): void => {
  const own = facts.encoder?.dimension
  if (dimensions === undefined || dimensions === null || dimensions === own) return
  throw new Refusal(400, `\`dimensions\` is ${dimensions}: the model's embeddings have ${own} numbers`, {
    code: "invalid_value",
    param: "dimensions",
  })
}

const numbers = (vector: Float32Array): readonly number[] => Array.from(vector)

/** Most bytes that become characters by one call. */
const piece = 8192

/** The numbers as f32 in base64, in the order of bytes that all machines with these runtimes have: the little end first. */
const base64 = ({ buffer, byteOffset, byteLength }: Float32Array): string => {
  const bytes = new Uint8Array(buffer, byteOffset, byteLength)
  let text = ""
  for (let at = 0; at < byteLength; at += piece)
    text += Reflect.apply(String.fromCharCode, undefined, bytes.subarray(at, at + piece))
  return btoa(text)
}
