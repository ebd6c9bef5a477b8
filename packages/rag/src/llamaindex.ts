import type { QueryBundle } from "@llamaindex/core/query-engine"
import { BaseRetriever } from "@llamaindex/core/retriever"
import { type NodeWithScore, TextNode } from "@llamaindex/core/schema"
import type { RagClient } from "./RagClient.ts"

/** A system's passages as LlamaIndex.TS' retriever. */
export class TandemRetriever extends BaseRetriever {
  readonly #rag: RagClient
  readonly #k: number | undefined

  constructor(rag: RagClient, { k }: { readonly k?: number } = {}) {
    super()
    this.#rag = rag
    this.#k = k
  }

  override async _retrieve({ query }: QueryBundle): Promise<NodeWithScore[]> {
    const question =
      typeof query === "string" ? query : query.map((part) => ("text" in part ? part.text : "")).join("\n")
    const sources = await this.#rag.retrieve(question, this.#k === undefined ? {} : { k: this.#k })
    return sources.map(({ id, title, text, score, weight }) => ({
      node: new TextNode({ id_: id, text, metadata: { ...(title === undefined ? {} : { title }), weight } }),
      score,
    }))
  }
}
