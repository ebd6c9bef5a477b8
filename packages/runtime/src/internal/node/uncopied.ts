import type { Graph } from "@tandem/onnx"

/**
 * Name of the output that `withUncopied` adds.
 *
 * onnxruntime-node writes outputs into the arrays it is given, and then copies every one of them into a result that
 * nobody needs: for the gradients of a small encoder that is a twelfth of a step. It turns outputs into JavaScript values
 * in their order, and it refuses one that is no tensor with an error of its own, when everything has been computed and
 * nothing copied yet. So an empty sequence as the first output stops it there. A binding that accepts sequences, or
 * that does not copy, returns as usual, and is as right.
 */
export const uncopied = "tandem.uncopied"

/** First operator set that has sequences. */
const sequences = 11

/** The graph with an empty sequence as its first output, which a run may ask for or not. */
export const withUncopied = (graph: Graph): Graph =>
  (graph.opsets.get("") ?? 0) < sequences
    ? graph
    : {
        ...graph,
        outputs: [{ name: uncopied, type: undefined, dims: undefined }, ...graph.outputs],
        nodes: [
          { op: "SequenceEmpty", domain: "", name: uncopied, inputs: [], outputs: [uncopied], attributes: {} },
          ...graph.nodes,
        ],
      }

/** Whether a run was stopped by that output, with everything else done. */
export const isUncopied = (cause: unknown): boolean =>
  cause instanceof Error && cause.message.includes("Non tensor type")
