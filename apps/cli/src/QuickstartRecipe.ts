/** What `npm run quickstart` trains with; docs/quickstart.md has it as a command. */
export const quickstartRecipe = {
  model: "tiny",
  tiny: { hidden: 128, layers: 2, heads: 4, intermediate: 512, vocabulary: 4000 },
  maxLength: 48,
  batchSize: 96,
  epochs: 3,
  lr: 3e-3,
  temperature: 0.14,
}
