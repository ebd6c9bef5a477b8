import { InvalidGraph, UnsupportedAttribute } from "../Errors.ts"
import {
  type Dim,
  floatAttribute,
  intAttribute,
  intsAttribute,
  type Node,
  operatorName,
  stringAttribute,
  type Value,
} from "../Graph.ts"
import type { GraphBuilder } from "../GraphBuilder.ts"
import { toBfloat16, toFloat16 } from "../internal/half.ts"
import { type ElementType, float32, type Tensor } from "../Tensor.ts"

/**
 * What an operator computes, said in plain operators: its results by output, of which unread ones may be left out.
 * A form that plain operators cannot express is refused with `UnsupportedAttribute`.
 */
export type Decomposition = (call: Composite) => readonly (Value | undefined)[]

/** What a decomposition needs besides the node. */
export interface CompositeContext {
  readonly g: GraphBuilder
  readonly node: Node
  /** Operands as values of the builder; undefined where absent. */
  readonly operands: readonly (Value | undefined)[]
  /** The constant behind an operand, if it is one. */
  readonly constants: readonly (Tensor | undefined)[]
  /** Whether somebody reads the output. */
  readonly reads: (index: number) => boolean
  /** Makes a tensor once for all nodes that ask for it by the same key. */
  readonly shared: (key: string, make: () => Tensor) => Tensor
}

/** One application of a composite operator, as decompositions see it. */
export class Composite {
  readonly g: GraphBuilder
  readonly node: Node
  readonly #context: CompositeContext

  constructor(context: CompositeContext) {
    this.g = context.g
    this.node = context.node
    this.#context = context
  }

  /** An operand that must be there. */
  input(index: number, name: string): Value {
    const value = this.#context.operands[index]
    if (value !== undefined) return value
    throw new InvalidGraph({
      message: `${this.#who} lacks its input ${name}`,
      node: this.node.name,
      field: name,
      expected: `input ${index}`,
      found: `${this.node.inputs.length} inputs`,
    })
  }

  /** An operand that may be absent. */
  optional(index: number): Value | undefined {
    return this.#context.operands[index]
  }

  constant(index: number): Tensor | undefined {
    return this.#context.constants[index]
  }

  reads(index: number): boolean {
    return this.#context.reads(index)
  }

  int(name: string, fallback: number): number {
    return intAttribute(this.node, name, fallback)
  }

  float(name: string, fallback: number): number {
    return floatAttribute(this.node, name, fallback)
  }

  text(name: string, fallback: string): string {
    return stringAttribute(this.node, name, fallback)
  }

  ints(name: string): readonly number[] | undefined {
    return intsAttribute(this.node, name)
  }

  flag(name: string): boolean {
    return this.int(name, 0) !== 0
  }

  /** A count that the operator must name. */
  count(name: string): number {
    const value = this.int(name, 0)
    return value > 0 ? value : this.refuse(name, "a positive number", `${value}`)
  }

  /** Refuses a setting or a form of operands. */
  refuse(field: string, expected: string, found: string): never {
    throw new UnsupportedAttribute({
      message: `${this.#who} cannot be expressed in plain operators: ${field} is ${found}`,
      node: this.node.name,
      field,
      expected,
      found,
    })
  }

  /** Refuses an operand, or an output that somebody reads, which decompositions do not know. */
  refuseForm(operands: Readonly<Record<string, number>>, outputs: Readonly<Record<string, number>> = {}): void {
    for (const [name, index] of Object.entries(operands)) {
      if (this.optional(index) !== undefined) this.refuse(name, "no such input", this.node.inputs[index] ?? "")
    }
    for (const [name, index] of Object.entries(outputs)) {
      if (this.reads(index)) this.refuse(name, "an output that nothing reads", this.node.outputs[index] ?? "")
    }
  }

  /** Number of axes of a value; a form that depends on it must know it. */
  rank(value: Value, name: string): number {
    return value.dims?.length ?? this.refuse(name, "a value of known rank", "of unknown rank")
  }

  /** Size of an axis that must not be symbolic, as those that weights decide are. */
  size(value: Value, axis: number, name: string): number {
    const dim = this.dim(value, axis)
    return typeof dim === "number" ? dim : this.refuse(name, "a known size", `of unknown size (${dim ?? "?"})`)
  }

  dim(value: Value, axis: number): Dim | undefined {
    return value.dims?.at(axis)
  }

  /** A rank-0 number of the type of `like`. */
  scalar(number: number, like: Value): Value {
    return this.g.constant(scalarOf(like.type, number))
  }

  /** A tensor that all nodes of the graph share. */
  shared(key: string, make: () => Tensor): Value {
    return this.g.constant(this.#context.shared(key, make))
  }

  get #who(): string {
    return `${this.node.name} (${operatorName(this.node)})`
  }
}

/** A rank-0 tensor of a floating-point type; what is not known to be another is `float32`. */
export const scalarOf = (type: ElementType | undefined, value: number): Tensor => {
  if (type === "float16") return { type, dims: [], data: Uint16Array.of(toFloat16(value)) }
  if (type === "bfloat16") return { type, dims: [], data: Uint16Array.of(toBfloat16(value)) }
  if (type === "float64") return { type, dims: [], data: Float64Array.of(value) }
  return float32([], [value])
}

/** The most negative number of a type that masks can add without a result that is no number. */
export const lowest = (type: ElementType | undefined): number => (type === "float16" ? -65504 : -3.4028234663852886e38)
