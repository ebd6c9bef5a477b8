import type { GraphBuilder, Node, Value } from "@tandem/onnx"

/** A value on the path of a gradient: its type is a float and its shape is known. */
export interface Shaped extends Value {
  readonly dims: readonly number[]
}

/** A node that reads a result, seen from the rule of the node that made it. */
export interface Reader {
  readonly node: Node
  readonly operands: readonly (Value | undefined)[]
  /** The places of the result among its operands. */
  readonly at: readonly number[]
  /** Its first result and the gradient of the loss by it. */
  readonly out: Shaped
  readonly dout: Shaped
  /** Where that result goes in turn. */
  readonly readers: () => readonly Reader[]
}

/** What a gradient rule sees of the node that it differentiates. */
export interface RuleContext {
  readonly g: GraphBuilder
  readonly node: Node
  /** Version of the operator set that the node belongs to. */
  readonly opset: number
  /** The node's operands by formal name; absent optional ones are missing. */
  readonly in: Readonly<Record<string, Shaped>>
  /** All operands in order, for variadic operators. */
  readonly operands: readonly Shaped[]
  readonly out: readonly Shaped[]
  /**
   * Whether the operand at this place lists places that a scatter without reduction writes at, too: they are distinct
   * then, as ONNX demands.
   */
  readonly distinct: (index: number) => boolean
  /** Gradient of the loss by each output; undefined where the loss does not depend on it. */
  readonly dout: readonly (Shaped | undefined)[]
  /** The gradient of the first output, which most rules need alone. */
  readonly dY: Shaped
  /** The nodes that read the first output and through which its gradient comes. */
  readonly readers: () => readonly Reader[]
}

/**
 * A gradient by one operand. It may have the shape of the node's result where that broadcast the operand: the walker
 * sums it down. A function adds itself to the sum of the contributions so far, where an operator can do both at once.
 */
export type Contribution = Value | Addition | RowGradient
export type Addition = (sum: Value | undefined) => Value

/**
 * A gradient by a table that is 0 but in the rows that were looked up; a row may come several times and adds up. Called,
 * it adds itself to the sum as a table.
 */
export interface RowGradient {
  (sum: Value | undefined): Value
  /** Row numbers `[count, 1]`, none of them negative. */
  readonly rows: Value
  /** `[count, …rest]` */
  readonly updates: Value
}

export type Gradient = (context: RuleContext, index: number) => Contribution

/**
 * The result has no derivative by the operand, or one that is 0 almost everywhere, for the stated reason: no path leads
 * through it.
 */
export interface Stop {
  readonly stop: string
}

/** A gap: this gradient is not written; a path that leads here is an error. */
export interface Todo {
  readonly todo: string
}

export const stop = (reason: string): Stop => ({ stop: reason })
export const todo = (reason: string): Todo => ({ todo: reason })

/** The gradients of one operator from one operator-set version on. */
export interface Rule {
  readonly since: number
  /** By formal input name, in ONNX's order; the last one of a variadic rule stands for all further operands. */
  readonly inputs: Readonly<Record<string, Gradient | Stop | Todo>>
  readonly variadic?: boolean
  /** Whether the gradients read `dout` of every output; else a loss that depends on a further one is refused. */
  readonly everyOutput?: boolean
  /** Number of outputs that the forward node must have, because the gradient reads statistics that it saves. */
  readonly saves?: number
  /**
   * For cheap operators: the first result once more, for the gradients of the nodes that read it, so that it need not be
   * kept until then. It is made of what this operator's own gradient reads, in a form that neither a builder nor a
   * provider merges with the forward node. Undefined where it cannot be.
   */
  readonly again?: (context: AgainContext) => Value | undefined
}

/** What is left of the forward pass when a result is made again. */
export interface AgainContext {
  readonly g: GraphBuilder
  readonly node: Node
  readonly operands: readonly Shaped[]
  /** Whether a gradient passes the operand at this place. */
  readonly onPath: (index: number) => boolean
}

/** Rules by operator; operators outside ONNX's own set are written `domain.Operator`. */
export type RuleTable = Readonly<Record<string, readonly Rule[]>>
