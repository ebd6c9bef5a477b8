// Models of public sizes with random weights: a step takes as long with any.
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import {
  bertConfig,
  bertParameters,
  decoderConfig,
  decoderParameters,
  type Parameter,
  seq2seqConfig,
  seq2seqParameters,
  trainWordPiece,
} from "@tandem/models"
import { elementCount, float32, type Tensor } from "@tandem/onnx"
import { writeSafetensors } from "@tandem/safetensors"
import { withFolder } from "./Folder.ts"
import { noise } from "./Numbers.ts"

type Json = Readonly<Record<string, unknown>>

const bert = (hidden: number, layers: number, intermediate: number): Json => ({
  architectures: ["BertModel"],
  model_type: "bert",
  vocab_size: 30522,
  max_position_embeddings: 512,
  type_vocab_size: 2,
  hidden_act: "gelu",
  layer_norm_eps: 1e-12,
  pad_token_id: 0,
  hidden_size: hidden,
  num_hidden_layers: layers,
  num_attention_heads: 12,
  intermediate_size: intermediate,
})

const llama = (hidden: number, layers: number, intermediate: number, [heads, keyHeads]: readonly [number, number]) => ({
  architectures: ["LlamaForCausalLM"],
  model_type: "llama",
  vocab_size: 49152,
  hidden_size: hidden,
  intermediate_size: intermediate,
  num_hidden_layers: layers,
  num_attention_heads: heads,
  num_key_value_heads: keyHeads,
  head_dim: 64,
  hidden_act: "silu",
  max_position_embeddings: 8192,
  rms_norm_eps: 1e-5,
  rope_theta: 100000,
  tie_word_embeddings: true,
  bos_token_id: 1,
  eos_token_id: 2,
  pad_token_id: 2,
})

/** `config.json`s of the models' sizes. */
export const shapes = {
  "MiniLM-L6": bert(384, 6, 1536),
  "BERT-base": bert(768, 12, 3072),
  "SmolLM-135M": llama(576, 30, 1536, [9, 3]),
  "Llama-30M": llama(384, 8, 1024, [6, 2]),
  "BART-base": {
    architectures: ["BartForConditionalGeneration"],
    model_type: "bart",
    is_encoder_decoder: true,
    vocab_size: 50265,
    d_model: 768,
    encoder_layers: 6,
    decoder_layers: 6,
    encoder_attention_heads: 12,
    decoder_attention_heads: 12,
    encoder_ffn_dim: 3072,
    decoder_ffn_dim: 3072,
    max_position_embeddings: 1024,
    activation_function: "gelu",
    dropout: 0,
    attention_dropout: 0,
    activation_dropout: 0,
    scale_embedding: false,
    tie_word_embeddings: true,
    pad_token_id: 1,
    bos_token_id: 0,
    eos_token_id: 2,
    decoder_start_token_id: 2,
    forced_eos_token_id: null,
  },
} as const satisfies Readonly<Record<string, Json>>

/** Uses a temporary folder with config.json, a tokenizer of a few words and random weights. */
export const withRandomModel = <A>(config: Json, use: (folder: string) => Promise<A>): Promise<A> =>
  withFolder((folder) => {
    const { tokenizer, config: tokenizerConfig } = trainWordPiece(["the river was long"], { vocabularySize: 60 })
    writeFileSync(join(folder, "config.json"), JSON.stringify(config))
    writeFileSync(join(folder, "tokenizer.json"), JSON.stringify(tokenizer))
    writeFileSync(join(folder, "tokenizer_config.json"), JSON.stringify(tokenizerConfig))
    writeFileSync(join(folder, "model.safetensors"), writeSafetensors(randomWeights(parametersOf(config))))
    return use(folder)
  })

const parametersOf = (config: Json): readonly Parameter[] => {
  switch (config["model_type"]) {
    case "bert":
      return bertParameters(bertConfig(config))
    case "bart":
      return seq2seqParameters(seq2seqConfig(config))
    default:
      return decoderParameters(decoderConfig(config))
  }
}

/** A parameter's values around 0, or around 1 where they scale. */
export const randomWeight = ({ dims, role }: Parameter, seed: number): Tensor =>
  float32(dims, noise(elementCount(dims), seed, 0.07, role === "scale" ? 1 : 0))

/** Values for all parameters; they follow from the places in the list. */
export const randomWeights = (parameters: readonly Parameter[]): Map<string, Tensor> =>
  new Map(parameters.map((parameter, index) => [parameter.name, randomWeight(parameter, index)]))
