/** Operators that give another result each time; they are never merged, and never computed where they need not be. */
export const impureOperators: ReadonlySet<string> = new Set([
  "Dropout",
  "RandomNormal",
  "RandomNormalLike",
  "RandomUniform",
  "RandomUniformLike",
  "Bernoulli",
  "Multinomial",
])
