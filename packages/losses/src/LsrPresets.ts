import type { Similarity } from "@tandem/onnx"
import { defaultTemperature } from "./InBatchNll.ts"
import type { LsrDirection, LsrOptions, LsrScore } from "./Lsr.ts"

/** Everything that an LSR loss leaves open. */
export interface LsrSettings extends LsrOptions {
  readonly direction: LsrDirection
  readonly score: LsrScore
}

export type LsrPresetName = "paper" | "fedrag" | "replug" | "ra-dit"

export interface LsrPreset {
  readonly settings: LsrSettings
  /** Where it differs from {@link lsrDefaults} and what follows, in a line. */
  readonly difference: string
}

/** The printed direction, on mean log-likelihoods, which do not underflow. */
export const lsrDefaults = (similarity: Similarity): LsrSettings => ({
  direction: "retriever-lm",
  score: "meanLogprob",
  retrieverTemperature: defaultTemperature(similarity),
  languageModelTemperature: 1,
})

const underflow = "the probability of an answer of more than a few tokens is 0, which makes the target flat"

/** Settings that others train or publish with. */
export const lsrPresets: Readonly<Record<LsrPresetName, LsrPreset>> = {
  paper: {
    settings: { direction: "retriever-lm", score: "prob", retrieverTemperature: 1, languageModelTemperature: 1 },
    difference: `\`prob\` as the formula is written: ${underflow}; \`meanLogprob\` does not`,
  },
  fedrag: {
    settings: { direction: "lm-retriever", score: "prob", retrieverTemperature: 1, languageModelTemperature: 1 },
    difference: `the other direction, as its code computes it, and \`prob\` of raw products: ${underflow}; \`meanLogprob\` does not`,
  },
  replug: {
    settings: { direction: "retriever-lm", score: "prob", retrieverTemperature: 0.1, languageModelTemperature: 0.1 },
    difference: `\`prob\` with both temperatures at 0.1: ${underflow}; \`meanLogprob\` does not`,
  },
  "ra-dit": {
    settings: { direction: "retriever-lm", score: "prob", retrieverTemperature: 1, languageModelTemperature: 0.01 },
    difference: `\`prob\` with the model's temperature at 0.01, as its formula is printed: ${underflow}; \`meanLogprob\` does not`,
  },
}
