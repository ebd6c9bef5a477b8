import { Schema } from "effect"
import { type PerPart, perPart, valueFor } from "./PerPart.ts"
import { count, type SettingDoc } from "./Setting.ts"

const grammar = /^([1-9]\d*)(?::(\d*\.?\d+)(?::(.+))?)?$/

/** `RANK`, `RANK:ALPHA` or `RANK:ALPHA:PATTERN`, for all parts or by part. */
export const loraSchema = perPart(
  Schema.Union([
    count,
    Schema.String.check(
      Schema.makeFilter((text) => {
        const [, , alpha] = grammar.exec(text) ?? []
        return grammar.test(text) && (alpha === undefined || Number(alpha) > 0)
      }),
    ),
  ]),
)

export const loraDoc: SettingDoc = {
  kind: "by part",
  value: "RANK[:ALPHA[:PATTERN]]|PART=…",
  about:
    "train low-rank adapters (LoRA) in place of the weights, of all parts or of one; PATTERN: ends of modules' names, * for any characters, | between several",
  expected: "a rank such as 16, or 16:32, or 16:32:q_proj|v_proj",
  otherwise: "all weights are trained; ALPHA twice the rank, PATTERN all linear layers but the output layer",
}

/** Adapters of one part, as `addLora` takes them for a graph of joint names. */
export interface PartLora {
  readonly rank: number
  readonly alpha: number
  readonly targets: string
  readonly exclude: string
}

/** The adapters that a setting asks for in a part; undefined where it asks for none. */
export const loraFor = (lora: PerPart<number | string> | undefined, part: string): PartLora | undefined => {
  const [, rank, alpha, pattern] = grammar.exec(String(valueFor(lora, part, ""))) ?? []
  if (rank === undefined) return undefined
  const others = `(?!${escaped(part)}/).*`
  return {
    rank: Number(rank),
    alpha: alpha === undefined ? 2 * Number(rank) : Number(alpha),
    ...(pattern === undefined
      ? { targets: "all-linear", exclude: `${others}|${endsWith("lm_head|embed_out")}` }
      : { targets: endsWith(pattern), exclude: others }),
  }
}

/** A regular expression for whole names of modules that end so; `*` stands for any characters. */
const endsWith = (pattern: string): string =>
  `(?:.*[./])?(?:${pattern.split("|").map(escaped).join("|").replaceAll("\\*", ".*")})`

/** A text as a part of a regular expression. */
export const escaped = (text: string): string => text.replace(/[\\^$.|?+()[\]{}*]/g, "\\$&")
