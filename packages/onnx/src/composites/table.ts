import { attention } from "./Attention.ts"
import type { Decomposition } from "./Composite.ts"
import { biasAdd, biasSoftmax, fusedConv, fusedGemm, fusedMatMul, swish, triluContrib } from "./FusedProducts.ts"
import { groupQueryAttention } from "./GroupQueryAttention.ts"
import { attentionContrib, multiHeadAttention } from "./MultiHeadAttention.ts"
import { matMulNBits } from "./QuantizedWeights.ts"
import { rotaryEmbedding, rotaryEmbeddingContrib } from "./RotaryEmbedding.ts"
import {
  embedLayerNormalization,
  rmsNormalization23,
  skipLayerNormalization,
  skipSimplifiedLayerNormalization,
} from "./SkipNormalization.ts"

/**
 * Every operator that is written in plain operators before anything else looks at it; those outside ONNX's own set are
 * written `domain.Operator`. BiasGelu, FastGelu, QuickGelu, ONNX Runtime's Gelu and SimplifiedLayerNormalization are
 * not here: they have gradient rules of their own.
 */
export const decompositions: Readonly<Record<string, Decomposition>> = {
  Attention: attention,
  RMSNormalization: rmsNormalization23,
  RotaryEmbedding: rotaryEmbedding,
  Swish: swish,
  "com.microsoft.Attention": attentionContrib,
  "com.microsoft.BiasAdd": biasAdd,
  "com.microsoft.BiasSoftmax": biasSoftmax,
  "com.microsoft.EmbedLayerNormalization": embedLayerNormalization,
  "com.microsoft.FusedConv": fusedConv,
  "com.microsoft.FusedGemm": fusedGemm,
  "com.microsoft.FusedMatMul": fusedMatMul,
  "com.microsoft.GroupQueryAttention": groupQueryAttention,
  "com.microsoft.MatMulNBits": matMulNBits,
  "com.microsoft.MultiHeadAttention": multiHeadAttention,
  "com.microsoft.RotaryEmbedding": rotaryEmbeddingContrib,
  "com.microsoft.SkipLayerNormalization": skipLayerNormalization,
  "com.microsoft.SkipSimplifiedLayerNormalization": skipSimplifiedLayerNormalization,
  "com.microsoft.TransposeMatMul": fusedMatMul,
  "com.microsoft.Trilu": triluContrib,
}
