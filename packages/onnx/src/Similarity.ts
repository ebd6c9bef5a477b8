/**
 * How two embeddings are compared, in a loss, in an index and in a model's files: by their inner product, or by that of
 * the vectors at unit length.
 */
export type Similarity = "dot" | "cosine"
