/** What every section has, whatever its kind. Prose is text; what stands between backquotes is set as code. */
export interface SectionHead {
  readonly title: string
  /** Said before the section's content. */
  readonly intro?: string
  /** Said after it. */
  readonly notes?: readonly string[]
}

/** How sections of one kind are shown. */
export interface Kind<Content> {
  /** Content as HTML in which nothing of the data is markup; empty where there is nothing to show. */
  readonly render: (content: Content) => string
  /** Rules of its own, beyond those of the page. */
  readonly style?: string
  /** JavaScript that runs once on pages that have such a section. */
  readonly script?: string
  /** Whether the script draws with uPlot. */
  readonly plots?: boolean
}

/** The kinds by name: adding one is a file with its type and its rendering, and a line here or in a page's own table. */
export type KindsOf<Contents> = { readonly [Name in keyof Contents]: Kind<Contents[Name]> }

/** A section of one of the kinds: its name, its head and its content. */
export type SectionOf<Contents, Name extends keyof Contents = keyof Contents> = {
  [One in Name]: { readonly kind: One } & SectionHead & Contents[One]
}[Name]
