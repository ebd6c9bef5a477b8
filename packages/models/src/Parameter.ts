/** A weight that an architecture needs. */
export interface Parameter {
  readonly name: string
  readonly dims: readonly number[]
  readonly role: "embedding" | "weight" | "bias" | "scale"
}
