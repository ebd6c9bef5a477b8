import { Schema } from "effect"

/** A value that can differ by part: one for all, or values by part, `all` for those that are not named. */
export type PerPart<V extends number | string = number> = V | Readonly<Record<string, V>>

/** A schema for {@link PerPart} values. */
export const perPart = <S extends Schema.Codec<number | string>>(value: S) =>
  Schema.Union([value, Schema.Record(Schema.String, value)])

/** The name under which a value for all parts stands. */
export const allParts = "all"

type Value = number | string

const byPart = (value: PerPart<Value>): Readonly<Record<string, Value>> =>
  typeof value === "object" ? value : { [allParts]: value }

/** The value for a part, `otherwise` where nothing is said about it. */
export function valueFor<A>(value: PerPart | undefined, part: string, otherwise: A): number | A
export function valueFor<A>(value: PerPart<Value> | undefined, part: string, otherwise: A): Value | A
export function valueFor<A>(value: PerPart<Value> | undefined, part: string, otherwise: A): Value | A {
  return value === undefined ? otherwise : (byPart(value)[part] ?? byPart(value)[allParts] ?? otherwise)
}

/** Parts that a value names. */
export const partsNamed = (value: PerPart<Value> | undefined): readonly string[] =>
  value === undefined ? [] : Object.keys(byPart(value)).filter((part) => part !== allParts)
