export type { Chunk } from "@tandem/documents"
