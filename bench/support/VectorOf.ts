import { Random } from "@tandem/random"

/** As many numbers of unit length as an embedding has, of one passage of one question. */
export const vectorOf = (width: number, question: number, passage: number): readonly number[] => {
  const random = Random.fromSeed(1).derive(question, passage)
  const values = Array.from({ length: width }, () => random.normal())
  const length = Math.sqrt(values.reduce((sum, value) => sum + value * value, 0))
  return values.map((value) => value / length)
}
