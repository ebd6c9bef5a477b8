import type { Encoder } from "@tandem/models"
import type { Feed } from "@tandem/runtime"

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
