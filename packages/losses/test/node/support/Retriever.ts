import assert from "node:assert/strict"
import { bool, float32, type GraphBuilder, type Tensor, type Value } from "@tandem/onnx"
import { inner, moved, noise } from "./Data.ts"
import { graphOver, largestDifference, type Matrix, matrix, run, runWithGradients } from "./Run.ts"

/** Queries with candidates: similarities and a teacher's number for each. */
export interface TaughtCase {
  readonly scores: Matrix
  readonly target: Matrix
  readonly counts?: readonly number[]
  readonly present?: readonly (readonly boolean[])[]
}

export interface TaughtValues {
  readonly scores: Value
  readonly target: Value
  readonly counts: Value
  readonly present: Value
}

export type Loss = (g: GraphBuilder, values: TaughtValues) => Readonly<Record<string, Value>>

export const taughtFeeds = ({ scores, target, counts, present }: TaughtCase) => ({
  scores: matrix(scores),
  target: matrix(target),
  counts: float32([scores.length], counts ?? scores.map(() => 1)),
  present: bool([scores.length, scores[0]!.length], (present ?? scores.map((row) => row.map(() => true))).flat()),
})

const graphOf = (feeds: Readonly<Record<keyof TaughtValues, Tensor>>, loss: Loss) =>
  graphOver(feeds, (g, { scores, target, counts, present }) => {
    assert.ok(scores && target && counts && present)
    return { ...loss(g, { scores, target, counts, present }) }
  })

/** A loss's outputs and its gradient by the scores. */
export const taught = (each: TaughtCase, loss: Loss, wrt: readonly (keyof TaughtValues)[] = ["scores"]) => {
  const feeds = taughtFeeds(each)
  return runWithGradients(graphOf(feeds, loss), feeds, wrt)
}

/** Relative error of a loss's gradient by the scores as a derivative of `value`'s loss, in a random direction. */
export const discrepancy = async (each: TaughtCase, loss: Loss, value: Loss = loss): Promise<number> => {
  const feeds = taughtFeeds(each)
  const graph = graphOf(feeds, value)
  const direction = noise(feeds.scores.data.length, 5)
  const at = async (factor: number) =>
    (await run(graph, { ...feeds, scores: moved(feeds.scores, direction, factor) }))["loss"]![0]!
  const expected = ((await at(4e-3)) - (await at(-4e-3))) / 8e-3
  const found = inner((await taught(each, loss))["grad.scores"]!, direction)
  return Math.abs(found - expected) / Math.max(Math.abs(expected), 1e-2)
}

export const close = (found: readonly number[] | undefined, expected: readonly number[], tolerance = 1e-6): void =>
  assert.ok(largestDifference(found, expected) < tolerance, `${found} instead of ${expected}`)
