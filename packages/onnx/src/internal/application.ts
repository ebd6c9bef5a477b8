import { InvalidGraph } from "../Errors.ts"
import type { Attributes, Dims, Value } from "../Graph.ts"
import type { ElementType, Tensor } from "../Tensor.ts"

/** What is known of a value. */
export interface ValueType {
  readonly type: ElementType | undefined
  readonly dims: Dims | undefined
}

/** An operator with its operands, as inference sees it. */
export interface Application {
  readonly op: string
  /** The node's own name, where it has one. */
  readonly name?: string
  readonly inputs: readonly (Value | undefined)[]
  readonly attributes: Attributes
  readonly outputs: number
  readonly constant: (value: Value | undefined) => Tensor | undefined
}

/** Types and shapes of the outputs, as far as they follow from the operands. */
export type Inference = (node: Application) => readonly ValueType[]

export const unknown: ValueType = { type: undefined, dims: undefined }
export const typeAt = (node: Application, index: number): ValueType => node.inputs[index] ?? unknown

/** Refuses operands that contradict each other. */
export const fail = (node: Application, expected: string): never => {
  const found = node.inputs.map((value) => `${value?.type ?? "?"}[${value?.dims ?? "?"}]`).join(", ")
  throw new InvalidGraph({ message: `operands of ${node.op} do not fit`, node: node.name ?? node.op, expected, found })
}

/** Counts a negative axis from the end. */
export const axisAt = (value: number, rank: number): number => (value < 0 ? value + rank : value)
