import {
  emdr2,
  type LsrDirection,
  type LsrScore,
  loop,
  lsr,
  marginMse,
  pdist,
  retrievalLogPrior,
  scoreDistillation,
} from "@tandem/losses"
import type { GraphBuilder, Value } from "@tandem/onnx"

/** What teaches a retriever, with everything that its formula leaves open. */
export type LsrLossSettings = {
  /** τ_R, divides similarities. */
  readonly retrieverTemperature: number
  /** τ, divides the teacher's scores; `emdr2` and `margin-mse` have none. */
  readonly languageModelTemperature: number
  /** Targets whose entropy lacks less than this of a uniform one's do not train, nats; not of `emdr2` and `margin-mse`. */
  readonly flatBelow: number
} & (
  | { readonly kind: "lsr"; readonly direction: LsrDirection; readonly score: LsrScore }
  | { readonly kind: "loop"; readonly score: "logprob" | "meanLogprob" }
  | { readonly kind: "distillation"; readonly direction: LsrDirection }
  | { readonly kind: "pdist" | "emdr2" | "margin-mse" }
)

/** Questions compared with their candidates, and what a teacher says of these. */
export interface TaughtInputs {
  /** `[B, k] f32`: similarities, the only input that receives a gradient. */
  readonly scores: Value
  /** `[B, k] bool` */
  readonly present: Value
  /** `[B, k] f32`: log-likelihoods, of `loop` those without the candidate, or scores of another kind. Constants. */
  readonly teacher: Value
  /** `[B] f32`: tokens of the answers. */
  readonly counts: Value
  /** `[B] f32`: what each question counts for. */
  readonly weights: Value
}

/** A loss with the two distributions that it brings together. */
export interface TaughtLoss {
  /** `[] f32`: the mean over the questions that train, as they count. */
  readonly loss: Value
  /** `[B, k] f32`: log p of the retriever and of the target. */
  readonly logPrior: Value
  readonly logTarget: Value
  /** `[] f32`: share of the questions that train. */
  readonly trained: Value
}

/** The loss of a batch by its settings. */
export const lsrLoss = (g: GraphBuilder, inputs: TaughtInputs, settings: LsrLossSettings): TaughtLoss => {
  const { scores, present, teacher, counts, weights } = inputs
  const { retrieverTemperature, languageModelTemperature, flatBelow } = settings
  const compared = { scores, present, logLikelihood: teacher, counts }
  const temperatures = { retrieverTemperature, languageModelTemperature, flatBelow }
  const weighed = (perQuery: Value, trained: Value) => ({
    loss: g.div(total(g, g.mul(perQuery, weights)), g.max(total(g, g.mul(trained, weights)), g.scalar(1e-12))),
    trained: g.reduceMean(trained, [0], false),
  })
  switch (settings.kind) {
    case "lsr": {
      const { direction, score } = settings
      const found = lsr(g, compared, { ...temperatures, direction, score })
      return { ...found, ...weighed(found.perQuery, found.trained) }
    }
    case "pdist": {
      const found = pdist(g, compared, temperatures)
      return { ...found, ...weighed(found.perQuery, found.trained) }
    }
    case "loop": {
      const found = loop(
        g,
        { scores, present, leaveOneOut: teacher, counts },
        { ...temperatures, score: settings.score },
      )
      return { ...found, ...weighed(found.perQuery, found.trained) }
    }
    case "distillation": {
      const found = scoreDistillation(
        g,
        { scores, present, teacher },
        {
          retrieverTemperature,
          teacherTemperature: languageModelTemperature,
          flatBelow,
          direction: settings.direction === "lm-retriever" ? "teacher-retriever" : "retriever-teacher",
        },
      )
      return { ...found, ...weighed(found.perQuery, found.trained) }
    }
    case "emdr2": {
      const logPrior = retrievalLogPrior(g, scores, { temperature: retrieverTemperature, present })
      const mask = g.unsqueeze(someOf(g, present), [1])
      const { perExample } = emdr2(g, { logPrior, logLikelihood: g.unsqueeze(teacher, [2]), mask })
      const logTarget = retrievalLogPrior(g, g.add(logPrior, teacher), { present })
      return { logPrior, logTarget, ...weighed(perExample, g.cast(someOf(g, present), "float32")) }
    }
    case "margin-mse": {
      const { errors } = marginMse(g, { scores, teacher, present })
      const logPrior = retrievalLogPrior(g, scores, { temperature: retrieverTemperature, present })
      const logTarget = retrievalLogPrior(g, teacher, { present })
      const candidates = g.reduceSum(g.cast(present, "float32"), [1], false)
      const pairs = g.max(g.sub(candidates, g.scalar(1)), g.scalar(0))
      const { loss } = weighed(g.reduceSum(g.mul(errors, errors), [1], false), pairs)
      return {
        loss,
        logPrior,
        logTarget,
        trained: g.reduceMean(g.cast(g.greater(pairs, g.scalar(0)), "float32"), [0], false),
      }
    }
  }
}

const total = (g: GraphBuilder, values: Value): Value => g.reduceSum(values, [0], false)

/** `[B] bool`: whether a question has a candidate. */
const someOf = (g: GraphBuilder, present: Value): Value =>
  g.greater(g.reduceSum(g.cast(present, "float32"), [1], false), g.scalar(0))
