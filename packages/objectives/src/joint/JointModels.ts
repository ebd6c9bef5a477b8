import type { LanguageModel } from "@tandem/models"
import type { Towers } from "@tandem/retriever"

/** The models that train together. The encoders have weights of their own each: that of passages may stay as it is. */
export interface JointModels {
  readonly towers: Extract<Towers, { readonly kind: "untied" }>
  readonly generator: LanguageModel
}
