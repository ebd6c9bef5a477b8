import type { BertFamily, Pooling } from "./Encoder.ts"

/** What a `model_type` says beyond its family. */
export interface BertType {
  readonly family: BertFamily
  /** How texts are pooled where no file says it. */
  readonly pooling: Pooling["mode"]
  /** Whether the prefix of the weights' names stays when a model is saved, because transformers' classes look for it. */
  readonly keepsPrefix: boolean
  /** Whether the config may name a projection behind the encoder. */
  readonly projects: boolean
}

const bert: BertType = { family: "bert", pooling: "mean", keepsPrefix: false, projects: false }

const types = {
  bert,
  distilbert: { ...bert, family: "distilbert" },
  dpr: { ...bert, pooling: "cls", keepsPrefix: true, projects: true },
} satisfies Readonly<Record<string, BertType>>

/** The `model_type`s of encoders that graphs are built for. */
export const encoderTypes: readonly string[] = Object.keys(types)

/** What the `model_type` of a config says, or undefined where no graph is built for it. */
export const bertType = (config: Readonly<Record<string, unknown>>): BertType | undefined =>
  new Map<unknown, BertType>(Object.entries(types)).get(config["model_type"])
