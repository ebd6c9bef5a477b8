declare module "mistral-tokenizer-js" {
  const tokenizer: {
    readonly vocabById: readonly string[]
    /** Pairs of tokens with a space between them, and the merge's rank. */
    readonly merges: ReadonlyMap<string, number>
  }
  export default tokenizer
}
