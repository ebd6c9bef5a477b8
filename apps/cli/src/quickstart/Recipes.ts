/** What the first part of `npm run quickstart` trains with; docs/quickstart.md has it as a command. */
export const quickstartRecipe = {
  model: "tiny",
  tiny: { hidden: 128, layers: 2, heads: 4, intermediate: 512, vocabulary: 4000 },
  maxLength: 48,
  batchSize: 96,
  epochs: 3,
  lr: 3e-3,
  temperature: 0.14,
}

/** What the second part of `npm run quickstart` trains with; docs/quickstart.md has it as commands. */
export const storyRecipe = {
  /** Eight steps, a twelfth of an epoch: it finds about three passages of ten. */
  retriever: {
    model: "tiny",
    tiny: { hidden: 128, layers: 1, heads: 4, intermediate: 512, vocabulary: 4000 },
    maxLength: 16,
    batchSize: 32,
    maxSteps: 8,
    lr: 3e-3,
    schedule: "constant",
    temperature: 0.1,
    noIndex: true,
  },
  /** It learns to copy a name out of the one passage that it is given. */
  reader: {
    generator: "tiny",
    tiny: { hidden: 64, layers: 1, heads: 4, intermediate: 192, vocabulary: 4000 },
    passages: "data",
    k: 1,
    maxPrompt: 40,
    maxAnswer: 4,
    batchSize: 64,
    maxSteps: 400,
    lr: 3e-3,
  },
  joint: {
    loss: "rag-sequence",
    k: 8,
    maxLength: 16,
    temperature: 0.03,
    batchSize: 16,
    epochs: 3,
    maxSteps: 300,
    lr: { query: 1e-3, generator: 1e-4 },
    answers: 128,
  },
} as const
