/** What the sides of bench/chunking.ts are given. */
export interface ChunkingSettings {
  /** Text files. */
  readonly folder: string
  /** A folder with the tokenizer. */
  readonly model: string
  /** Largest chunk, without overlap. */
  readonly maxTokens: number
}
