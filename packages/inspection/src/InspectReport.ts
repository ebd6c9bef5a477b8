import type { InspectedParameter, InspectedSetting } from "./InspectParameters.ts"

/** A place where a gradient cannot pass, or a reason why the model as a whole cannot train. */
export interface ModelGap {
  /** Name of the node; empty where the model as a whole is meant. */
  readonly node: string
  /** Operator, with its domain where that is not ONNX's own. */
  readonly op: string
  readonly reason: string
  /** Name of the operand that gets no gradient, where it is one. */
  readonly input?: string
}

/** What one training step needs, for the stated batch and length. */
export interface StepEstimate {
  readonly batch: number
  readonly length: number
  /** Bytes, all in 32-bit floats. */
  readonly memory: {
    readonly weights: number
    readonly gradients: number
    /** AdamW's two averages. */
    readonly optimizer: number
    /** The most that is alive at one time between the first node and the last. */
    readonly activations: number
    readonly total: number
  }
  /** Floating-point operations in matrix products, a multiplication and an addition being two. */
  readonly flops: { readonly forward: number; readonly step: number }
}

/** What `inspectModel` finds. */
export interface ModelReport {
  readonly architecture: string
  /** Version of ONNX's own operator set. */
  readonly opset: number
  /** Versions of all operator sets by domain; ONNX's own is the empty name. */
  readonly opsets: Readonly<Record<string, number>>
  /** How often each operator stands in the file, subgraphs included. */
  readonly operators: Readonly<Record<string, number>>
  /** Number of weights. */
  readonly parameters: number
  /** Number of weights that can train. */
  readonly trainable: number
  readonly gaps: readonly ModelGap[]
  readonly inputs: readonly {
    readonly name: string
    readonly type: string
    readonly shape: readonly (number | string)[]
  }[]
  readonly outputs: readonly {
    readonly name: string
    readonly type: string
    readonly shape: readonly (number | string)[]
  }[]
  readonly weights: readonly InspectedParameter[]
  /** Stored floats that are no weights and stay as they are, such as rotary frequencies. */
  readonly settings: readonly InspectedSetting[]
  /** Undefined where the shapes could not be told. */
  readonly step?: StepEstimate
}
