/** A length as files and options state it, or undefined where they state none; transformers writes "none" as 10³⁰. */
export const maxLengthOf = (value: unknown): number | undefined =>
  typeof value === "number" && value > 0 ? Math.min(value, Number.MAX_SAFE_INTEGER) : undefined
