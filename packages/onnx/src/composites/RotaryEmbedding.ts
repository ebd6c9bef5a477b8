import type { Value } from "../Graph.ts"
import { splitHeads } from "./attend.ts"
import type { Composite, Decomposition } from "./Composite.ts"
import { countFrom, lengthOf } from "./masks.ts"

/**
 * Turns pairs of elements of `x [batch, heads, tokens, size]` by an angle: of its first `2 · half` elements
 * (a, b) become (a·cos − b·sin, a·sin + b·cos), where a and b are halves of those elements, or neighbours if
 * `interleaved`. `cos` and `sin` broadcast to `[batch, heads, tokens, half]`.
 */
export const rotate = (
  call: Composite,
  x: Value,
  angles: { readonly cos: Value; readonly sin: Value; readonly half: number; readonly interleaved: boolean },
): Value => {
  const { g } = call
  const { cos, sin, half, interleaved } = angles
  const size = call.size(x, 3, "head size")
  if (2 * half > size) call.refuse("cos_cache", `at most ${size / 2} columns`, `${half} columns`)
  const whole = 2 * half === size
  const turned = whole ? x : g.slice(x, 3, 0, 2 * half)
  const pairs = interleaved ? g.reshape(turned, [0, 0, 0, half, 2]) : undefined
  const part = (index: number): Value =>
    pairs === undefined
      ? g.slice(x, 3, index * half, (index + 1) * half)
      : g.squeeze(g.slice(pairs, 4, index, index + 1), [4])
  const [a, b] = [part(0), part(1)]
  const first = g.sub(g.mul(a, cos), g.mul(b, sin))
  const second = g.add(g.mul(a, sin), g.mul(b, cos))
  const rest = whole ? [] : [g.slice(x, 3, 2 * half, size)]
  if (!interleaved) return g.concat([first, second, ...rest], 3)
  const woven = g.reshape(g.concat([g.unsqueeze(first, [4]), g.unsqueeze(second, [4])], 4), [0, 0, 0, 2 * half])
  return g.concat([woven, ...rest], 3)
}

/** Rows of a cache of angles for heads: `[tokens, half]` or `[batch, tokens, half]` with an axis for the heads. */
export const perHead = (call: Composite, rows: Value): Value =>
  call.g.unsqueeze(rows, [call.rank(rows, "position_ids") === 2 ? 0 : 1])

/** `x` with one axis for heads `[batch, heads, tokens, size]`, and how to bring it back. */
const withHeads = (call: Composite, x: Value, heads: number): { x: Value; back: (y: Value) => Value } => {
  const { g } = call
  if (call.rank(x, "input") === 4) return { x, back: (y) => y }
  if (heads <= 0) call.refuse("num_heads", "the number of heads, because the input has 3 axes", `${heads}`)
  return { x: splitHeads(call, x, heads), back: (y) => g.reshape(g.transpose(y, [0, 2, 1, 3]), [0, 0, width(x)]) }
}

const width = (x: Value): number => {
  const last = x.dims?.at(-1)
  return typeof last === "number" ? last : -1
}

/** com.microsoft.RotaryEmbedding: input, position_ids `[1]` (where the first token stands) or `[batch, tokens]`, caches. */
export const rotaryEmbeddingContrib: Decomposition = (call) => {
  const { g } = call
  const input = call.input(0, "input")
  const positions = call.input(1, "position_ids")
  const cosCache = call.input(2, "cos_cache")
  const sinCache = call.input(3, "sin_cache")
  if (call.flag("is_packed_batching")) call.refuse("is_packed_batching", "0", "1")
  if (call.float("scale", 1) !== 1) call.refuse("scale", "1", `${call.float("scale", 1)}`)
  const half = call.size(cosCache, 1, "cos_cache")
  const rotaryDim = call.int("rotary_embedding_dim", 0)
  const heads =
    call.int("num_heads", 0) > 0
      ? call.int("num_heads", 0)
      : rotaryDim > 0
        ? 0
        : call.size(input, 2, "input") / (2 * half)
  const { x, back } = withHeads(call, input, heads)
  const single = call.rank(positions, "position_ids") === 1
  const rows = single ? g.add(countFrom(call, 0, lengthOf(call, x, 2)), positions) : positions
  const angles = (cache: Value) => perHead(call, g.gather(cache, rows))
  const interleaved = call.flag("interleaved")
  return [back(rotate(call, x, { cos: angles(cosCache), sin: angles(sinCache), half, interleaved }))]
}

/** RotaryEmbedding-23: X, caches `[positions, half]` with position_ids, or `[batch, tokens, half]` without. */
export const rotaryEmbedding: Decomposition = (call) => {
  const { g } = call
  const caches = [call.input(1, "cos_cache"), call.input(2, "sin_cache")] as const
  const positions = call.optional(3)
  const { x, back } = withHeads(call, call.input(0, "X"), call.int("num_heads", 0))
  const half = call.size(caches[0], -1, "cos_cache")
  const rotaryDim = call.int("rotary_embedding_dim", 0)
  if (rotaryDim > 0 && rotaryDim !== 2 * half) call.refuse("rotary_embedding_dim", `${2 * half}`, `${rotaryDim}`)
  const [cos, sin] = caches.map((cache) => perHead(call, positions === undefined ? cache : g.gather(cache, positions)))
  return [back(rotate(call, x, { cos: cos!, sin: sin!, half, interleaved: call.flag("interleaved") }))]
}
