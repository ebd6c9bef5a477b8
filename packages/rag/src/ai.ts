import type {
  EmbeddingModelV4,
  LanguageModelV4,
  LanguageModelV4CallOptions,
  LanguageModelV4Prompt,
  LanguageModelV4Source,
  LanguageModelV4StreamPart,
  LanguageModelV4Usage,
  SharedV4Warning,
} from "@ai-sdk/provider"
import { tool } from "ai"
import { Effect } from "effect"
import { z } from "zod"
import { questionOf } from "./Conversation.ts"
import type { Cancellable, RagClient } from "./RagClient.ts"
import type { Answer, AskOptions, EmbedAs, Source } from "./RagSystem.ts"

const provider = "tandem"

/**
 * A system as the AI SDK's language model: the last message is the question, retrieval happens inside, passages come as
 * sources, and the confidence stands in the provider's metadata.
 */
export const tandemLanguageModel = (
  rag: RagClient,
  options: Pick<AskOptions, "k" | "decoding"> = {},
): LanguageModelV4 => {
  const optionsOf = ({ maxOutputTokens, abortSignal }: LanguageModelV4CallOptions): AskOptions & Cancellable => ({
    ...options,
    ...(maxOutputTokens === undefined ? {} : { maxTokens: maxOutputTokens }),
    ...(abortSignal === undefined ? {} : { signal: abortSignal }),
  })
  return {
    specificationVersion: "v4",
    provider,
    modelId: rag.facts.name,
    supportedUrls: {},
    doGenerate: async (call) => {
      const answer = await rag.ask(await asked(call.prompt), optionsOf(call))
      return {
        content: [...answer.sources.map(sourceOf), { type: "text", text: answer.answer }],
        ...endOf(answer),
        warnings: warningsOf(call),
      }
    },
    doStream: async (call) => {
      const events = rag.askStream(await asked(call.prompt), optionsOf(call))
      return { stream: streamOf(partsOf(events, warningsOf(call))) }
    },
  }
}

/** A system's encoder as the AI SDK's embedding model; passages are what is embedded where nobody says otherwise. */
export const tandemEmbeddingModel = (
  rag: RagClient,
  { as = "passage" }: { readonly as?: EmbedAs } = {},
): EmbeddingModelV4 => ({
  specificationVersion: "v4",
  provider,
  modelId: rag.facts.encoder?.model ?? rag.facts.name,
  maxEmbeddingsPerCall: 2048,
  supportsParallelCalls: true,
  doEmbed: async ({ values, abortSignal }) => {
    const vectors = await rag.embed(values, { as, ...(abortSignal === undefined ? {} : { signal: abortSignal }) })
    return { embeddings: vectors.map((vector) => [...vector]), warnings: [] }
  },
})

/** A tool for any model of the AI SDK: finds the passages of a question. */
export const retrievalTool = (rag: RagClient, { k }: { readonly k?: number } = {}) =>
  tool({
    description: `finds passages that answer a question in ${rag.facts.knowledge.name}`,
    inputSchema: z.object({ question: z.string().min(1).describe("the question, in full") }),
    execute: async ({ question }, { abortSignal }): Promise<readonly Source[]> =>
      rag.retrieve(question, {
        ...(k === undefined ? {} : { k }),
        ...(abortSignal === undefined ? {} : { signal: abortSignal }),
      }),
  })

async function* partsOf(
  events: ReturnType<RagClient["askStream"]>,
  warnings: SharedV4Warning[],
): AsyncGenerator<LanguageModelV4StreamPart> {
  const id = "answer"
  yield { type: "stream-start", warnings }
  for await (const event of events) {
    if (event.type === "sources") {
      for (const source of event.sources) yield sourceOf(source)
      yield { type: "text-start", id }
    } else if (event.type === "token") {
      if (event.token.text !== "") yield { type: "text-delta", id, delta: event.token.text }
    } else {
      yield { type: "text-end", id }
      yield { type: "finish", ...endOf(event.answer) }
    }
  }
}

/** Parts as they are asked for; whoever cancels ends their making. */
const streamOf = <A>(parts: AsyncGenerator<A>): ReadableStream<A> =>
  new ReadableStream({
    pull: async (controller) => {
      const { done, value } = await parts.next()
      if (done === true) controller.close()
      else controller.enqueue(value)
    },
    cancel: async () => {
      await parts.return(undefined)
    },
  })

const sourceOf = ({ id, title, text, score, weight }: Source): LanguageModelV4Source => ({
  type: "source",
  sourceType: "document",
  id,
  mediaType: "text/plain",
  title: title ?? id,
  providerMetadata: { [provider]: { text, score, weight } },
})

const endOf = ({ finish, promptTokens, tokens, confidence }: Answer) => ({
  finishReason: { unified: finish === "length" ? ("length" as const) : ("stop" as const), raw: finish },
  usage: usageOf(promptTokens, tokens.length),
  providerMetadata: { [provider]: { confidence: { ...confidence } } },
})

const usageOf = (read: number, written: number): LanguageModelV4Usage => ({
  inputTokens: { total: read, noCache: read, cacheRead: 0, cacheWrite: 0 },
  outputTokens: { total: written, text: written, reasoning: 0 },
})

/** What is asked for and has no effect here. */
const warningsOf = (call: LanguageModelV4CallOptions): SharedV4Warning[] =>
  (
    [
      "temperature",
      "topP",
      "topK",
      "presencePenalty",
      "frequencyPenalty",
      "stopSequences",
      "tools",
      "responseFormat",
    ] as const
  )
    .filter((feature) =>
      feature === "responseFormat" ? call.responseFormat?.type === "json" : call[feature] !== undefined,
    )
    .map((feature) => ({ type: "unsupported", feature }))

const asked = (prompt: LanguageModelV4Prompt): Promise<string> =>
  Effect.runPromise(
    questionOf(
      prompt.map(({ role, content }) => ({
        role,
        content:
          typeof content === "string"
            ? content
            : content.map((part) => (part.type === "text" ? part.text : "")).join(""),
      })),
    ),
  )
