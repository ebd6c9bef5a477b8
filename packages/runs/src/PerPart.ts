import { Schema } from "effect"

/** A number that can differ by part: one for all, or numbers by part, `all` for those that are not named. */
export type PerPart = number | Readonly<Record<string, number>>

/** A schema for {@link PerPart} values. */
export const perPart = <S extends Schema.Codec<number>>(value: S) =>
  Schema.Union([value, Schema.Record(Schema.String, value)])

/** The name under which a value for all parts stands. */
export const allParts = "all"

const byPart = (value: PerPart): Readonly<Record<string, number>> =>
  typeof value === "number" ? { [allParts]: value } : value

/** The value for a part, `otherwise` where nothing is said about it. */
export const valueFor = <A>(value: PerPart | undefined, part: string, otherwise: A): number | A =>
  value === undefined ? otherwise : (byPart(value)[part] ?? byPart(value)[allParts] ?? otherwise)

/** Parts that a value names. */
export const partsNamed = (value: PerPart | undefined): readonly string[] =>
  value === undefined ? [] : Object.keys(byPart(value)).filter((part) => part !== allParts)
