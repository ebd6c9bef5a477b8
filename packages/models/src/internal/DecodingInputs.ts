import type { GraphBuilder, Value } from "@tandem/onnx"
import type { CacheShape } from "../decoder/Decoding.ts"

/** Declares what every graph for writing text reads, in the order and with the shapes that `Decoding` tells; weights follow. */
export const decodingInputs = (g: GraphBuilder, caches: readonly CacheShape[]) => {
  const { heads } = caches[0]!
  const whole = (name: string, dims: readonly (string | number)[]): Value => g.input(name, "int64", dims)
  const data = {
    ids: whole("input_ids", ["tokens"]),
    positions: whole("position_ids", ["tokens"]),
    tokensAt: whole("tokens_at", ["rows", "width"]),
    places: whole("places", ["tokens"]),
    cachePlaces: whole("cache_places", ["rows", heads, "width", 3]),
    cachePositions: whole("cache_positions", ["rows", "cache"]),
    prefixPositions: whole("prefix_positions", ["prefixes", "prefix"]),
    wanted: whole("logit_tokens", ["wanted"]),
  }
  const keysAndValues = (kind: string, rows: string, length: string) =>
    caches.map(({ headSize }, layer) =>
      (["key", "value"] as const).map((part) =>
        g.input(`${kind}.${layer}.${part}`, "float32", [rows, heads, length, headSize]),
      ),
    )
  /** By layer keys, then values. */
  return {
    ...data,
    past: keysAndValues("past", "rows", "cache"),
    prefix: keysAndValues("prefix", "prefixes", "prefix"),
  }
}
