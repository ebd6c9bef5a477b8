import { type Towers, untiedTowers } from "@tandem/retriever"
import { Effect } from "effect"
import type { RetrieverSettings } from "../retrieval/RetrieverFields.ts"
import { type FromNothing, loadTowers } from "./LoadTowers.ts"

/** Two encoders with weights of their own each. */
export type OwnTowers = Extract<Towers, { readonly kind: "untied" }>

/**
 * Two encoders with weights of their own: the one that reads passages stays as it is, or learns by itself. Training takes
 * the memory of what it trains, so that a model that starts both is read twice.
 */
export const ownTowers = Effect.fnUntraced(function* (settings: Omit<RetrieverSettings, "untied">, from: FromNothing) {
  const load = loadTowers({ ...settings, untied: true }, from)
  const { query, passage } = sides(yield* load)
  return sides(untiedTowers(query, query === passage ? sides(yield* load).passage : passage))
})

const sides = (towers: Towers): OwnTowers =>
  towers.kind === "untied" ? towers : { kind: "untied", query: towers.encoder, passage: towers.encoder }
