import type { Graph, Tensor } from "@tandem/onnx"
import { Runtime } from "@tandem/runtime"
import { layer } from "@tandem/runtime/node/NodeRuntime"
import { Effect, type Scope } from "effect"
import type { Encoder } from "../../src/encoder/Encoder.ts"
import { pooledGraph, withPooling } from "../../src/encoder/Pooling.ts"
import { encoderInputs } from "../../src/tokenizer/Tokenizer.ts"

/** The embeddings of texts as the encoder's own settings say. */
export const embed = Effect.fnUntraced(function* (encoder: Encoder, texts: readonly string[]) {
  const batch = encoder.tokenizer.encodeBatch(texts, { maxLength: encoder.maxLength })
  const graph = yield* encoder.graph({ batch: batch.rows, tokens: batch.tokens })
  const runtime = yield* Runtime
  const executable = yield* runtime.compile(withPooling(graph, encoder.pooling).graph)
  const parameters: Readonly<Record<string, Tensor>> = Object.fromEntries(encoder.parameters)
  return (yield* executable.run({ ...encoderInputs(batch, encoder.inputs), ...parameters }))["sentence_embedding"]!
})

/** The same from the graph of any shape. */
export const embedInAnyShape = Effect.fnUntraced(function* (encoder: Encoder, texts: readonly string[]) {
  const batch = encoder.tokenizer.encodeBatch(texts, { maxLength: encoder.maxLength })
  const runtime = yield* Runtime
  const executable = yield* runtime.compile(pooledGraph(yield* encoder.anyShapeGraph, encoder.pooling))
  const parameters: Readonly<Record<string, Tensor>> = Object.fromEntries(encoder.parameters)
  return (yield* executable.run({ ...encoderInputs(batch, encoder.inputs), ...parameters }))["sentence_embedding"]!
})

/** Runs a program with a runtime on one CPU thread. */
export const withRuntime = <A, E>(program: Effect.Effect<A, E, Runtime | Scope.Scope>): Promise<A> =>
  Effect.runPromise(Effect.scoped(program).pipe(Effect.provide(layer({ threads: 1 }))))

/** Runs a graph once on the CPU. */
export const execute = (graph: Graph, inputs: Readonly<Record<string, Tensor>>) =>
  Effect.gen(function* () {
    const runtime = yield* Runtime
    const executable = yield* runtime.compile(graph)
    return yield* executable.run(inputs)
  }).pipe(Effect.scoped, Effect.provide(layer({ threads: 1 })), Effect.runPromise)
