import type { RagClient } from "@tandem/rag"

/** What a handler serves: a system that is open. */
export type Served = Pick<RagClient, "facts" | "retrieve" | "tokenize" | "ask" | "askStream">
