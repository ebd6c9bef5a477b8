import type { CallbackManagerForLLMRun } from "@langchain/core/callbacks/manager"
import { Document } from "@langchain/core/documents"
import { Embeddings, type EmbeddingsParams } from "@langchain/core/embeddings"
import { BaseChatModel, type BaseChatModelParams } from "@langchain/core/language_models/chat_models"
import { AIMessage, AIMessageChunk, type BaseMessage } from "@langchain/core/messages"
import { ChatGenerationChunk, type ChatResult } from "@langchain/core/outputs"
import { BaseRetriever, type BaseRetrieverInput } from "@langchain/core/retrievers"
import { Effect } from "effect"
import { questionOf } from "./Conversation.ts"
import type { RagClient } from "./RagClient.ts"
import type { Answer, AskOptions } from "./RagSystem.ts"

/** What a found passage brings along in LangChain. */
export interface PassageMetadata {
  readonly [key: string]: unknown
  readonly title?: string
  /** Its similarity to the question. */
  readonly score: number
  /** Its share among the passages found. */
  readonly weight: number
}

/** A system's passages as LangChain's retriever. */
export class TandemRetriever extends BaseRetriever<PassageMetadata> {
  static override lc_name(): string {
    return "TandemRetriever"
  }
  override readonly lc_namespace = ["tandem", "retrievers"]
  readonly #rag: RagClient
  readonly #k: number | undefined

  constructor(rag: RagClient, { k, ...fields }: BaseRetrieverInput & { readonly k?: number } = {}) {
    super(fields)
    this.#rag = rag
    this.#k = k
  }

  override async _getRelevantDocuments(query: string): Promise<Document<PassageMetadata>[]> {
    const sources = await this.#rag.retrieve(query, this.#k === undefined ? {} : { k: this.#k })
    return sources.map(
      ({ id, title, text, score, weight }) =>
        new Document({
          id,
          pageContent: text,
          metadata: { ...(title === undefined ? {} : { title }), score, weight },
        }),
    )
  }
}

/** A system's encoder as LangChain's embeddings: documents as passages, queries as questions. */
export class TandemEmbeddings extends Embeddings {
  readonly #rag: RagClient

  constructor(rag: RagClient, params: EmbeddingsParams = {}) {
    super(params)
    this.#rag = rag
  }

  override async embedDocuments(documents: string[]): Promise<number[][]> {
    const vectors = await this.#rag.embed(documents, { as: "passage" })
    return vectors.map((vector) => [...vector])
  }

  override async embedQuery(query: string): Promise<number[]> {
    const [vector] = await this.#rag.embed([query], { as: "query" })
    return [...(vector ?? [])]
  }
}

/**
 * A system as LangChain's chat model: the last message is the question, retrieval happens inside, and sources and confidence
 * stand in `response_metadata`.
 */
export class ChatTandem extends BaseChatModel {
  static override lc_name(): string {
    return "ChatTandem"
  }
  readonly #rag: RagClient
  readonly #asked: AskOptions

  constructor(rag: RagClient, { k, decoding, maxTokens, ...fields }: BaseChatModelParams & AskOptions = {}) {
    super(fields)
    this.#rag = rag
    this.#asked = {
      ...(k === undefined ? {} : { k }),
      ...(decoding === undefined ? {} : { decoding }),
      ...(maxTokens === undefined ? {} : { maxTokens }),
    }
  }

  override _llmType(): string {
    return "tandem"
  }

  override async _generate(
    messages: BaseMessage[],
    { signal }: this["ParsedCallOptions"],
    runManager?: CallbackManagerForLLMRun,
  ): Promise<ChatResult> {
    const answer = await this.#rag.ask(await asked(messages), { ...this.#asked, ...(signal && { signal }) })
    await runManager?.handleLLMNewToken(answer.answer)
    const message = new AIMessage({ content: answer.answer, response_metadata: metadataOf(answer) })
    Object.assign(message, usageOf(answer))
    return { generations: [{ text: answer.answer, message }] }
  }

  override async *_streamResponseChunks(
    messages: BaseMessage[],
    { signal }: this["ParsedCallOptions"],
    runManager?: CallbackManagerForLLMRun,
  ): AsyncGenerator<ChatGenerationChunk> {
    const question = await asked(messages)
    for await (const event of this.#rag.askStream(question, { ...this.#asked, ...(signal && { signal }) })) {
      if (event.type === "token" && event.token.text !== "") {
        const { text } = event.token
        yield new ChatGenerationChunk({ text, message: new AIMessageChunk({ content: text }) })
        await runManager?.handleLLMNewToken(text)
      }
      if (event.type === "done") {
        const { answer } = event
        const message = new AIMessageChunk({ content: "", response_metadata: metadataOf(answer) })
        Object.assign(message, usageOf(answer))
        yield new ChatGenerationChunk({ text: "", message })
      }
    }
  }
}

const asked = (messages: readonly BaseMessage[]): Promise<string> =>
  Effect.runPromise(
    questionOf(
      messages.map((message) => ({ role: message.type === "human" ? "user" : message.type, content: message.text })),
    ),
  )

const metadataOf = ({ sources, confidence, finish }: Answer) => ({ sources, confidence, finish_reason: finish })

/** What LangChain counts, in a field that its types know of standard messages alone. */
const usageOf = ({ promptTokens, tokens }: Answer) => ({
  usage_metadata: {
    input_tokens: promptTokens,
    output_tokens: tokens.length,
    total_tokens: promptTokens + tokens.length,
  },
})
