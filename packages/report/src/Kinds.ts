import type { Kind, SectionOf } from "./Kind.ts"
import { curves } from "./kinds/Curves.ts"
import { examples } from "./kinds/Examples.ts"
import { facts } from "./kinds/Facts.ts"
import { figures } from "./kinds/Figures.ts"
import { sources } from "./kinds/Sources.ts"
import { table } from "./kinds/Table.ts"
import { text } from "./kinds/Text.ts"

/** The kinds of sections that every page knows. */
export const kinds = { figures, curves, table, examples, sources, facts, text }

/** The content of each kind by its name. */
export type Contents = {
  readonly [Name in keyof typeof kinds]: (typeof kinds)[Name] extends Kind<infer Content> ? Content : never
}

/** A section of one of the kinds that every page knows. */
export type Section = SectionOf<Contents>
