import { type Encoder, embeddingSize } from "@tandem/models"
import type { Tensor } from "@tandem/onnx"
import type { Feed } from "@tandem/runtime"
import { FreezePatternError, TowerMismatchError } from "./Errors.ts"

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

/**
 * The name of a parameter in a program that holds all towers: its own name where the tower is shared, else with
 * `query/` or `passage/` before it.
 */
export const jointName = (towers: Towers, side: Side, name: string): string =>
  towers.kind === "shared" ? name : `${side}/${name}`

const sidesOf = (towers: Towers): readonly Side[] => (towers.kind === "shared" ? ["query"] : ["query", "passage"])

/** Every weight of all towers by joint name; a shared one stands once. */
export const jointParameters = (towers: Towers): ReadonlyMap<string, Tensor> =>
  new Map(
    sidesOf(towers).flatMap((side) =>
      [...encoderOf(towers, side).parameters].map(([name, value]) => [jointName(towers, side, name), value] as const),
    ),
  )

/**
 * One side's encoder with its weights out of those of the joint program; weights that `joint` lacks are the encoder's
 * own.
 */
export const towerFrom = (towers: Towers, side: Side, joint: Readonly<Record<string, Feed>> = {}): Tower => {
  const encoder = encoderOf(towers, side)
  const weights = [...encoder.parameters].map(
    ([name, own]) => [name, joint[jointName(towers, side, name)] ?? own] as const,
  )
  return { encoder, weights: Object.fromEntries(weights) }
}

/**
 * Joint names of the parameters that are trained: all but the frozen ones, in the order of `jointParameters`.
 *
 * A pattern is a parameter's whole name in which `*` stands for any characters: `embeddings.*`, `*layer.0.*`. In
 * untied towers it is compared with the name in either tower and with the joint name, so `embeddings.*` freezes both
 * towers' embeddings and `passage/*` the whole passage tower.
 *
 * Throws `FreezePatternError` for a pattern that names no parameter, and where nothing is left to train.
 *
 * @example
 * ```ts
 * import { tinyEncoder, trainWordPiece } from "@tandem/models"
 * import { trainableNames, untiedTowers } from "@tandem/retriever"
 *
 * const vocabulary = trainWordPiece(["the river was long", "the long river"], { vocabularySize: 60 })
 * const encoder = tinyEncoder({ seed: 0, vocabulary })
 * const names = trainableNames(untiedTowers(encoder), ["passage/*", "*embeddings.*"])
 * console.log(names.length)
 * ```
 */
export const trainableNames = (towers: Towers, freeze: readonly string[] = []): readonly string[] => {
  const names = [...jointParameters(towers).keys()]
  const frozen = new Set<string>()
  for (const pattern of freeze) {
    const hits = names.filter((name) => matches(pattern, name) || matches(pattern, bareName(towers, name)))
    if (hits.length === 0) {
      throw new FreezePatternError({
        message: `no parameter is called ${pattern}`,
        field: "freeze",
        expected: `a pattern for names such as ${names.slice(0, 2).join(" and ")}`,
        found: pattern,
        hint: "* stands for any characters: embeddings.*, *layer.0.*",
      })
    }
    for (const name of hits) frozen.add(name)
  }
  const trained = names.filter((name) => !frozen.has(name))
  if (trained.length > 0) return trained
  throw new FreezePatternError({
    message: "every parameter is frozen, so nothing is left to train",
    field: "freeze",
    found: freeze.join(" "),
    hint: "freeze less",
  })
}

const bareName = (towers: Towers, name: string): string =>
  towers.kind === "shared" ? name : name.slice(name.indexOf("/") + 1)

const matches = (pattern: string, name: string): boolean => {
  const source = pattern.replace(/[\\^$.|?+()[\]{}]/g, "\\$&").replaceAll("*", ".*")
  return new RegExp(`^${source}$`, "s").test(name)
}
