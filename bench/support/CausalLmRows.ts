// The batches of the language-model benchmark, as both sides read them.
import { readFileSync } from "node:fs"
import type { LoraSettings, Recompute } from "@tandem/autodiff"

/** One text: the tokens from `from` on are labels. */
export interface TokenRow {
  readonly ids: readonly number[]
  readonly from: number
}

/** What both sides of bench/causal-lm.ts are given. */
export interface CausalLmSettings {
  /** A folder with config.json, tokenizer and weights. */
  readonly model: string
  /** A file of JSON lines, each a batch: a list of `TokenRow`. */
  readonly batches: string
  readonly maxLength: number
  readonly learningRate: number
  /** Steps of one round. */
  readonly steps: number
  readonly threads: number
  /** Whether the products of the first batch's step are to be measured alone. */
  readonly countProducts: boolean
  readonly lora?: Pick<LoraSettings, "rank" | "alpha"> & { readonly targets: readonly string[] }
  /** What is computed again in the backward pass; of our side alone. */
  readonly recompute?: Recompute
}

export const readRows = (file: string): readonly (readonly TokenRow[])[] =>
  readFileSync(file, "utf8")
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line))
