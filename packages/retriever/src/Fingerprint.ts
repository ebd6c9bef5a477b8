import type { Encoder } from "@tandem/models"
import { bytesOf, type Similarity, type Tensor } from "@tandem/onnx"
import { type Feed, type RunFailed, Runtime } from "@tandem/runtime"
import { Effect } from "effect"
import { poolingFor } from "./EncodeTexts.ts"
import { defaultTitles, type RenderOptions } from "./PassageText.ts"
import type { Tower } from "./Towers.ts"

export interface FingerprintOptions extends RenderOptions {
  /** `cosine` scales vectors to unit length, as `TextEncoderOptions` says. */
  readonly similarity?: Similarity
}

/**
 * Names everything that decides which vector a passage gets: SHA-256, as 64 hexadecimal digits, over names, shapes and
 * bytes of the weights, the architecture, pooling, passage prompt, tokenizer, treatment of titles and maximum length.
 * The same encoder has the same fingerprint on every machine; one changed weight gives another.
 *
 * Weights that are resident are copied out of the runtime. An encoder in another representation (safetensors, ONNX) has
 * other parameter names and so another fingerprint: index with the encoder that will be loaded to search.
 *
 * Needs Web Crypto, which pages have on `https:` and `localhost` only.
 */
export const fingerprint = Effect.fnUntraced(function* (
  tower: Tower,
  options: FingerprintOptions = {},
): Effect.fn.Return<string, RunFailed, Runtime> {
  const { encoder, weights } = tower
  const { titles = defaultTitles(encoder), maxLength = encoder.maxLength } = options
  const { architecture, hiddenSize, layers, heads, activation, layerNormEpsilon } = encoder.config
  const hashed = Effect.fnUntraced(function* ([name, own]: readonly [string, Tensor]) {
    const tensor = yield* valueOf(weights[name] ?? own)
    return [name, tensor.type, tensor.dims, yield* sha256(bytesOf(tensor))] as const
  })
  // Each hash that is under way holds a copy of its tensor.
  const tensors = yield* Effect.forEach([...encoder.parameters, ...settingsOf(encoder)], hashed, { concurrency: 2 })
  tensors.sort(([a], [b]) => (a < b ? -1 : 1))
  const description = canonical({
    format: 1,
    config: { architecture, hiddenSize, layers, heads, activation, layerNormEpsilon },
    pooling: poolingFor(encoder, options.similarity),
    prompt: encoder.prompts.passage,
    tokenizer: encoder.tokenizer.files.tokenizer,
    titles,
    maxLength,
    tensors,
  })
  return yield* sha256(new TextEncoder().encode(description))
})

/** What an ONNX file holds beside its weights that decides embeddings, such as rotary frequencies. */
const settingsOf = ({ source }: Encoder): readonly (readonly [string, Tensor])[] => {
  if (source.kind !== "onnx") return []
  const { initializers } = source.graph
  return [...source.settings].flatMap((name) => {
    const value = initializers.get(name)
    return value === undefined ? [] : [[name, value] as const]
  })
}

const valueOf = (feed: Feed): Effect.Effect<Tensor, RunFailed, Runtime> =>
  "id" in feed ? Effect.flatMap(Runtime, (runtime) => runtime.download(feed)) : Effect.succeed(feed)

const sha256 = (bytes: Uint8Array): Effect.Effect<string> =>
  Effect.promise(async () => {
    const { buffer, byteOffset, byteLength } = bytes
    // Shared memory is refused by some platforms' Web Crypto, and only then is a copy needed.
    const data = buffer instanceof ArrayBuffer ? new Uint8Array(buffer, byteOffset, byteLength) : bytes.slice()
    const digest = await crypto.subtle.digest("SHA-256", data)
    return Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, "0")).join("")
  })

/** JSON with the keys of every object in order. */
const canonical = (value: unknown): string =>
  JSON.stringify(value, (_, inner: unknown) =>
    typeof inner === "object" && inner !== null && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)))
      : inner,
  )
