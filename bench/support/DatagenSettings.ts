/** What the sides of bench/datagen.ts are given. */
export interface DatagenBenchSettings {
  /** An endpoint that takes a while for every reply. */
  readonly baseUrl: string
  /** Chunks, each of which is asked about twice: by the filter and for a conversation. */
  readonly items: number
  /** Calls that may be under way at once. */
  readonly concurrency: number
}
