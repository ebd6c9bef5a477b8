/** Something to know before reading on. */
export interface Notice {
  readonly text: string
  readonly items?: readonly string[]
  readonly level?: "warning"
}

/** Where a run stands. */
export type Status = "running" | "interrupted" | "diverged" | "completed"

/** A page as data. Nothing in it is trusted: passages may hold any text. */
export interface Report<Section> {
  /** What was asked for, as it is typed: `tandem dpr train`. */
  readonly command: string
  /** The page's one sentence. */
  readonly title: string
  readonly status?: Status
  /** Names and values that stand below the title. */
  readonly summary: readonly (readonly [name: string, value: string])[]
  /** Paragraphs that say how to read the page. */
  readonly lead?: readonly string[]
  readonly notices: readonly Notice[]
  readonly sections: readonly Section[]
}
