import type { Graph } from "@tandem/onnx"

/** Heads of keys and values that one layer keeps of each token. */
export interface CacheShape {
  readonly heads: number
  readonly headSize: number
}

/**
 * A language model's graph for writing text, of any shape, with its weights as inputs of their names. It reads prompts,
 * writes token after token, and scores answers where there is no graph for that (`scoring`).
 *
 * A batch has `rows`, each `width` places wide, and `tokens` real tokens that lie at places of it; token-wise work is done
 * on those alone. Behind them lies a `prefix`: keys and values that `rows / prefixes` neighbouring rows share and that no
 * run changes (of a prompt that was read before; in an encoder-decoder those of the encoder's states). Before them lies the
 * `cache` of keys and values of each row, of a fixed size, that a run writes its tokens into.
 *
 * Inputs:
 * - `input_ids`, `position_ids` `[tokens] int64`
 * - `tokens_at` `[rows, width] int64`: the token at each place; any at a place without one
 * - `places` `[tokens] int64`: the place `row · width + column` of each token
 * - `cache_places` `[rows, heads, width, 3] int64`: where in the cache each place is written, (row, head, column)
 * - `cache_positions` `[rows, cache] int64`: position of the token at each column after this run, −1 where there is none
 * - `prefix_positions` `[prefixes, prefix] int64`: the same of the prefix
 * - `logit_tokens` `[wanted] int64`: the tokens that logits are computed at
 * - for each layer N `past.N.key`, `past.N.value` `[rows, heads, cache, headSize]` and `prefix.N.key`, `prefix.N.value`
 *   `[prefixes, heads, prefix, headSize]`, all f32
 *
 * Outputs: `logits` `[wanted, vocabulary] f32`, and `present.N.key`, `present.N.value`, the caches with the run's tokens.
 */
export interface Decoding {
  readonly graph: Graph
  /**
   * The model for scoring texts, where it has a graph for that: with the inputs of `graph` without the cache's, and
   * - `place_positions` `[rows, width] int64`: position of the token at each place, −1 where there is none
   * - `prefix_of` `[rows] int64`: which prefix stands before each row
   *
   * Keys of prefix and row stand side by side, a copy of few bytes where rows are long, so that scores are computed and
   * masked in one piece. Outputs: `logits` as of `graph`, and `present.N.key`, `present.N.value`
   * `[rows, heads, width, headSize]` of the run's own tokens, which are a prefix of further runs.
   */
  readonly scoring: Graph | undefined
  /**
   * Of each layer; none where the model keeps no keys and values. Its graph then reads whole texts, padded on the right:
   * `input_ids` and `attention_mask` `[rows, width] int64`, and `logit_tokens` counts places, `row · width + column`.
   */
  readonly caches: readonly CacheShape[]
  /**
   * Whether rows of different lengths may be written side by side: a model that counts columns, and not what is real in
   * them, may have none without a token between those that hold one.
   */
  readonly uneven: boolean
  /**
   * What makes the prefix of a prompt where it is not the graph itself: an encoder, with inputs `input_ids` and
   * `attention_mask` `[prefixes, prefix] int64` and outputs `prefix.N.key` and `prefix.N.value`.
   */
  readonly encoder: Graph | undefined
}
