import type { BertFamily } from "./Encoder.ts"

/** Names of one transformer block's weights, each a module with `.weight` and `.bias`. */
export interface BlockNames {
  readonly query: string
  readonly key: string
  readonly value: string
  readonly attentionOutput: string
  readonly attentionNorm: string
  readonly intermediate: string
  readonly output: string
  readonly outputNorm: string
}

/** What differs between the families of encoders that graphs are built for. */
export interface BertTraits {
  /** The names that Hugging Face gives to the weights of block `layer`. */
  readonly blockNames: (layer: number) => BlockNames
  /** Names of the config's fields. */
  readonly fields: {
    readonly hiddenSize: string
    readonly layers: string
    readonly heads: string
    readonly intermediateSize: string
    readonly activation: string
    readonly hiddenDropout: string
    readonly attentionDropout: string
  }
  /** Whether tokens are told apart by segment, too. */
  readonly segments: boolean
  /** Whether dropout sits on what attention gives. */
  readonly dropsAttentionOutput: boolean
  /** Transformers' class of a model without a head. */
  readonly bareClass: string
}

/** The families of encoders by name. */
export const bertFamilies: Readonly<Record<BertFamily, BertTraits>> = {
  bert: {
    blockNames: (layer) => {
      const block = `encoder.layer.${layer}`
      return {
        query: `${block}.attention.self.query`,
        key: `${block}.attention.self.key`,
        value: `${block}.attention.self.value`,
        attentionOutput: `${block}.attention.output.dense`,
        attentionNorm: `${block}.attention.output.LayerNorm`,
        intermediate: `${block}.intermediate.dense`,
        output: `${block}.output.dense`,
        outputNorm: `${block}.output.LayerNorm`,
      }
    },
    fields: {
      hiddenSize: "hidden_size",
      layers: "num_hidden_layers",
      heads: "num_attention_heads",
      intermediateSize: "intermediate_size",
      activation: "hidden_act",
      hiddenDropout: "hidden_dropout_prob",
      attentionDropout: "attention_probs_dropout_prob",
    },
    segments: true,
    dropsAttentionOutput: true,
    bareClass: "BertModel",
  },
  distilbert: {
    blockNames: (layer) => {
      const block = `transformer.layer.${layer}`
      return {
        query: `${block}.attention.q_lin`,
        key: `${block}.attention.k_lin`,
        value: `${block}.attention.v_lin`,
        attentionOutput: `${block}.attention.out_lin`,
        attentionNorm: `${block}.sa_layer_norm`,
        intermediate: `${block}.ffn.lin1`,
        output: `${block}.ffn.lin2`,
        outputNorm: `${block}.output_layer_norm`,
      }
    },
    fields: {
      hiddenSize: "dim",
      layers: "n_layers",
      heads: "n_heads",
      intermediateSize: "hidden_dim",
      activation: "activation",
      hiddenDropout: "dropout",
      attentionDropout: "attention_dropout",
    },
    segments: false,
    dropsAttentionOutput: false,
    bareClass: "DistilBertModel",
  },
}
