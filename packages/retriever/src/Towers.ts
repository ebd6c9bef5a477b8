import { type Encoder, embeddingSize } from "@tandem/models"
import { joinParts, jointName, type Tensor } from "@tandem/onnx"
import type { Feed } from "@tandem/runtime"
import { TowerMismatchError } from "./Errors.ts"

/** An encoder and the weights that it runs with. */
export interface Tower {
  readonly encoder: Encoder
  /**
   * By parameter name: tensors, or resident buffers of the `Runtime`, whose values are read at every run. So a tower
   * over the buffers of a training run always encodes with the weights of the moment.
   */
  readonly weights: Readonly<Record<string, Feed>>
}

/** A tower with the weights that the encoder was made with. */
export const towerOf = (encoder: Encoder): Tower => ({ encoder, weights: Object.fromEntries(encoder.parameters) })

/** Which tower: the one that reads queries, or the one that reads passages. */
export type Side = "query" | "passage"

/** The encoders of a retriever: one for both sides, or one for each with weights of its own. */
export type Towers =
  | { readonly kind: "shared"; readonly encoder: Encoder }
  | { readonly kind: "untied"; readonly query: Encoder; readonly passage: Encoder }

/** One encoder for queries and passages. */
export const sharedTower = (encoder: Encoder): Towers => ({ kind: "shared", encoder })

/**
 * Two encoders that are trained apart: two checkpoints (DPR's), or two copies of one, which then start out equal.
 * Embeddings of different widths end in `TowerMismatchError`.
 */
export const untiedTowers = (query: Encoder, passage: Encoder = query): Towers => {
  const [expected, found] = [embeddingSize(query.config), embeddingSize(passage.config)]
  if (expected === found) return { kind: "untied", query, passage }
  throw new TowerMismatchError({
    message: `the query encoder's embeddings have ${expected} numbers, the passage encoder's ${found}`,
    expected: `${expected}`,
    found: `${found}`,
    hint: "choose two encoders of one width",
  })
}

/** The encoder of one side. */
export const encoderOf = (towers: Towers, side: Side): Encoder =>
  towers.kind === "shared" ? towers.encoder : towers[side]

/** The part that a side's weights belong to: a shared tower is the part `query` for both sides. */
export const partOfSide = (towers: Towers, side: Side): Side => (towers.kind === "shared" ? "query" : side)

/** A parameter's name in a program that holds all towers: `query/…`, or `passage/…` where that tower has its own. */
export const towerName = (towers: Towers, side: Side, name: string): string => jointName(partOfSide(towers, side), name)

/** Every weight of all towers by joint name; a shared one stands once. */
export const towerParameters = (towers: Towers): ReadonlyMap<string, Tensor> =>
  joinParts(
    towers.kind === "shared"
      ? { query: towers.encoder.parameters }
      : { query: towers.query.parameters, passage: towers.passage.parameters },
  )

/**
 * One side's encoder with its weights out of those of the joint program; weights that `joint` lacks are the encoder's
 * own.
 */
export const towerFrom = (towers: Towers, side: Side, joint: Readonly<Record<string, Feed>> = {}): Tower => {
  const encoder = encoderOf(towers, side)
  const weights = [...encoder.parameters].map(
    ([name, own]) => [name, joint[towerName(towers, side, name)] ?? own] as const,
  )
  return { encoder, weights: Object.fromEntries(weights) }
}
