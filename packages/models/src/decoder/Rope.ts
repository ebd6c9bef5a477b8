import { float32, type GraphBuilder, type Value } from "@tandem/onnx"
import { InvalidLanguageModel } from "../Errors.ts"
import type { ConfigFields } from "../internal/ConfigFields.ts"
import { isRecord } from "../internal/Record.ts"

/** How rotary position embeddings turn, for all positions or depending on how long the sequence is. */
export type RopeScaling =
  | { readonly kind: "default" }
  | { readonly kind: "linear"; readonly factor: number }
  /** The base grows with sequences longer than `maxPositions`. */
  | { readonly kind: "dynamic"; readonly factor: number; readonly maxPositions: number }
  | {
      readonly kind: "llama3"
      readonly factor: number
      readonly lowFrequencyFactor: number
      readonly highFrequencyFactor: number
      readonly originalMaxPositions: number
    }
  | {
      readonly kind: "yarn"
      readonly factor: number
      readonly betaFast: number
      readonly betaSlow: number
      readonly truncate: boolean
      readonly originalMaxPositions: number
    }
  /** Other factors for sequences longer than `originalMaxPositions`. */
  | {
      readonly kind: "longrope"
      readonly shortFactor: readonly number[]
      readonly longFactor: readonly number[]
      readonly originalMaxPositions: number
    }

/** Rotary position embeddings of a model. */
export interface Rope {
  readonly theta: number
  /** How many dimensions of a head turn, from its start; an even number. */
  readonly size: number
  /** Multiplies cosines and sines. */
  readonly attentionFactor: number
  readonly scaling: RopeScaling
}

const kinds = ["default", "linear", "dynamic", "llama3", "yarn", "longrope"] as const

export interface RopeDefaults {
  readonly headSize: number
  readonly maxPositions: number
  readonly theta: number
  /** Positions before a scaling, where no field names them; `maxPositions` where absent. */
  readonly originalMaxPositions?: number | undefined
}

/**
 * Reads rotary embeddings from a config, in the layout of transformers 5 (`rope_parameters`) or of earlier versions
 * (`rope_theta` with `rope_scaling`). Scalings that are not built end in `UnsupportedArchitecture`.
 */
export const readRope = (fields: ConfigFields, defaults: RopeDefaults): Rope => {
  const { json } = fields
  const outer = isRecord(json["rope_parameters"]) ? "rope_parameters" : "rope_scaling"
  const given = json[outer]
  fields.refuse(outer, given !== undefined && given !== null && !isRecord(given))
  const own = fields.inside(outer, isRecord(given) ? given : {})
  fields.refuse(outer, Object.values(own.json).some(isRecord), "scalings that differ by layer need an ONNX export")
  const theta = own.number("rope_theta", fields.number("rope_theta", defaults.theta, 0), 0)
  const share = own.number("partial_rotary_factor", fields.number("partial_rotary_factor", 1, 0), 0)
  const size = Math.floor(defaults.headSize * share)
  if (size < 2 || size % 2 !== 0 || size > defaults.headSize) {
    throw new InvalidLanguageModel({
      message: "rotary embeddings do not fit the size of a head",
      file: fields.file,
      field: "head_dim",
      expected: `an even number of dimensions, at most ${defaults.headSize}`,
      found: `${size}`,
    })
  }
  const named = own.json["rope_type"] ?? own.json["type"] ?? "default"
  // Phi-3's name of it before it got its own
  const kind = named === "su" ? "longrope" : kinds.find((known) => known === named)
  if (kind === undefined) own.refuse(own.json["rope_type"] === undefined ? "type" : "rope_type", true)
  const original = (): number =>
    fields.number(
      "original_max_position_embeddings",
      own.number("original_max_position_embeddings", defaults.originalMaxPositions ?? defaults.maxPositions, 1),
      1,
    )
  const plain = { theta, size, attentionFactor: 1 }
  switch (kind) {
    case undefined:
    case "default":
      return { ...plain, scaling: { kind: "default" } }
    case "linear":
      return { ...plain, scaling: { kind, factor: own.number("factor", undefined, 0) } }
    case "dynamic":
      return {
        ...plain,
        scaling: { kind, factor: own.number("factor", undefined, 0), maxPositions: defaults.maxPositions },
      }
    case "llama3":
      return {
        ...plain,
        scaling: {
          kind,
          factor: own.number("factor", undefined, 0),
          lowFrequencyFactor: own.number("low_freq_factor", undefined, 0),
          highFrequencyFactor: own.number("high_freq_factor", undefined, 0),
          originalMaxPositions: original(),
        },
      }
    case "yarn": {
      const originalMaxPositions = original()
      const factor = own.number("factor", defaults.maxPositions / originalMaxPositions, 0)
      const magnitude = (scale: number): number => (factor <= 1 ? 1 : 0.1 * scale * Math.log(factor) + 1)
      const [one, all] = [own.number("mscale", 0, 0), own.number("mscale_all_dim", 0, 0)]
      const inferred = one > 0 && all > 0 ? magnitude(one) / magnitude(all) : magnitude(1)
      return {
        ...plain,
        attentionFactor: own.number("attention_factor", inferred, 0),
        scaling: {
          kind,
          factor,
          betaFast: own.number("beta_fast", 32, 0),
          betaSlow: own.number("beta_slow", 1, 0),
          truncate: own.boolean("truncate", true),
          originalMaxPositions,
        },
      }
    }
    case "longrope": {
      const originalMaxPositions = original()
      const factor = own.number("factor", defaults.maxPositions / originalMaxPositions, 0)
      const inferred = factor <= 1 ? 1 : Math.sqrt(1 + Math.log(factor) / Math.log(originalMaxPositions))
      return {
        ...plain,
        attentionFactor: own.number("attention_factor", inferred, 0),
        scaling: {
          kind,
          shortFactor: factors(own, "short_factor", size / 2),
          longFactor: factors(own, "long_factor", size / 2),
          originalMaxPositions,
        },
      }
    }
  }
}

const factors = (fields: ConfigFields, field: string, count: number): readonly number[] => {
  const list = fields.json[field]
  const numbers = Array.isArray(list) ? list.filter((value) => typeof value === "number") : []
  if (numbers.length === count) return numbers
  throw new InvalidLanguageModel({
    message: `${field} of the rotary embeddings has another length than half of what turns`,
    file: fields.file,
    field,
    expected: `${count} numbers`,
    found: `${numbers.length}`,
  })
}

const { fround } = Math

/**
 * The angle by which each pair of dimensions turns from one position to the next `[size / 2]`, for sequences of so many
 * positions, rounded where PyTorch rounds.
 */
export const inverseFrequencies = ({ theta, size, scaling }: Rope, positions: number): Float32Array => {
  const exponents = Array.from({ length: size / 2 }, (_, index) => fround((2 * index) / size))
  const plain = (base: number): Float32Array => Float32Array.from(exponents, (exponent) => 1 / fround(base ** exponent))
  switch (scaling.kind) {
    case "default":
      return plain(theta)
    case "linear":
      return plain(theta).map((value) => value / scaling.factor)
    case "dynamic": {
      const { factor, maxPositions } = scaling
      const stretch = (factor * Math.max(positions, maxPositions)) / maxPositions - (factor - 1)
      return plain(theta * stretch ** (size / (size - 2)))
    }
    case "llama3": {
      const { factor, lowFrequencyFactor: low, highFrequencyFactor: high, originalMaxPositions: original } = scaling
      return plain(theta).map((value) => {
        const wavelength = fround((2 * Math.PI) / value)
        if (wavelength > original / low) return value / factor
        if (wavelength < original / high) return value
        const smooth = (original / wavelength - low) / (high - low)
        return ((1 - smooth) * value) / factor + smooth * value
      })
    }
    case "yarn": {
      const { factor, betaFast, betaSlow, truncate, originalMaxPositions } = scaling
      const dimension = (rotations: number): number =>
        (size * Math.log(originalMaxPositions / (rotations * 2 * Math.PI))) / (2 * Math.log(theta))
      const [first, last] = [dimension(betaFast), dimension(betaSlow)]
      const low = Math.max(truncate ? Math.floor(first) : first, 0)
      const high = Math.min(truncate ? Math.ceil(last) : last, size - 1)
      const span = low === high ? 0.001 : high - low
      return plain(theta).map((value, index) => {
        const ramp = Math.min(Math.max((index - low) / span, 0), 1)
        return (value / factor) * ramp + value * (1 - ramp)
      })
    }
    case "longrope": {
      const list = positions > scaling.originalMaxPositions ? scaling.longFactor : scaling.shortFactor
      return Float32Array.from(
        exponents,
        (exponent, index) => 1 / fround(fround(list[index]!) * fround(theta ** exponent)),
      )
    }
  }
}

/** Cosines and sines of the angles at some places, each `[places, 1, size / 2]`. */
export interface Rotation {
  readonly cos: Value
  readonly sin: Value
}

/**
 * The rotation at each of `positions` `[places] int64`. Scalings that depend on the sequence's length take it from the
 * largest position of `all`, as transformers does.
 */
export const rotation = (g: GraphBuilder, rope: Rope, positions: Value, all: Value): Rotation => {
  const half = rope.size / 2
  const angles = g.mul(g.reshape(g.cast(positions, "float32"), [-1, 1, 1]), frequencies(g, rope, all))
  const scaled = (value: Value): Value =>
    rope.attentionFactor === 1 ? value : g.mul(value, g.scalar(rope.attentionFactor))
  const known = typeof positions.dims?.[0] === "number" ? [positions.dims[0], 1, half] : [-1, 1, half]
  return { cos: g.reshape(scaled(g.cos(angles)), known), sin: g.reshape(scaled(g.sin(angles)), known) }
}

const frequencies = (g: GraphBuilder, rope: Rope, all: Value): Value => {
  const { size, scaling, theta } = rope
  const constant = (positions: number): Value =>
    g.constant(float32([1, 1, size / 2], inverseFrequencies(rope, positions)))
  if (scaling.kind !== "dynamic" && scaling.kind !== "longrope") return constant(0)
  const length = g.add(g.reduceMax(g.cast(all, "float32"), [], false), g.scalar(1))
  if (scaling.kind === "longrope") {
    const { originalMaxPositions: original } = scaling
    return g.where(g.greater(length, g.scalar(original)), constant(original + 1), constant(original))
  }
  const { factor, maxPositions } = scaling
  const stretch = g.sub(
    g.mul(g.max(length, g.scalar(maxPositions)), g.scalar(factor / maxPositions)),
    g.scalar(factor - 1),
  )
  const base = g.mul(g.pow(stretch, g.scalar(size / (size - 2))), g.scalar(theta))
  const exponents = Float32Array.from({ length: size / 2 }, (_, index) => (2 * index) / size)
  return g.reciprocal(g.pow(base, g.constant(float32([1, 1, size / 2], exponents))))
}

/** Turns the first dimensions of heads `[places, heads, headSize]`: pairs are dimension i and i + size / 2. */
export const rotate = (g: GraphBuilder, x: Value, { cos, sin }: Rotation, rope: Rope): Value => {
  const half = rope.size / 2
  const rest = Number(x.dims?.at(-1)) - rope.size
  const [a, b, ...tail] = g.split(x, rest > 0 ? [half, half, rest] : [half, half], 2)
  const turned = [g.sub(g.mul(a!, cos), g.mul(b!, sin)), g.add(g.mul(b!, cos), g.mul(a!, sin))]
  return g.concat([...turned, ...tail], 2)
}
