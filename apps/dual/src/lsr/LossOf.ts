import { lsrDefaults, lsrPresets } from "@tandem/losses"
import type { LsrLossSettings } from "@tandem/objectives"
import type { LsrSettings } from "./LsrSettings.ts"

/** The loss that settings name: what they say, else what their preset says, else the defaults. */
export const lossOf = (
  settings: Pick<
    LsrSettings,
    "loss" | "preset" | "direction" | "score" | "temperature" | "lmTemperature" | "flatBelow"
  >,
  /** What divides similarities where nobody says. */
  usualTemperature: number,
): LsrLossSettings => {
  const { loss, preset, flatBelow } = settings
  const base =
    preset === undefined
      ? { ...lsrDefaults("dot"), retrieverTemperature: usualTemperature }
      : lsrPresets[preset].settings
  const { direction = base.direction, score = base.score } = settings
  const shared = {
    retrieverTemperature: settings.temperature ?? base.retrieverTemperature,
    languageModelTemperature: settings.lmTemperature ?? base.languageModelTemperature,
    flatBelow,
  }
  switch (loss) {
    case "lsr":
      return { kind: loss, ...shared, direction, score }
    case "loop":
      return { kind: loss, ...shared, score: score === "logprob" ? "logprob" : "meanLogprob" }
    case "distillation":
      return { kind: loss, ...shared, direction: settings.direction ?? "lm-retriever" }
    default:
      return { kind: loss, ...shared }
  }
}

/** Whether a loss learns from scores of passages rather than from likelihoods of answers. */
export const learnsFromScores = (loss: LsrSettings["loss"]): boolean => loss === "distillation" || loss === "margin-mse"
