import { Schema } from "effect"
import type { Remark } from "../Source.ts"
import { nearestName } from "./NearestName.ts"

/** What any row of instructions may say about itself. */
export const describedFields = {
  id: Schema.optionalKey(Schema.NullOr(Schema.Union([Schema.String, Schema.Number]))),
  weight: Schema.optionalKey(Schema.NullOr(Schema.Number.check(Schema.isGreaterThanOrEqualTo(0)))),
  metadata: Schema.optionalKey(Schema.NullOr(Schema.Record(Schema.String, Schema.Unknown))),
}

type Fields = Readonly<Record<string, unknown>>

export const isFields = (value: unknown): value is Fields =>
  typeof value === "object" && value !== null && !Array.isArray(value)

/** Whether a field says anything: tables fill absent ones with null, and lists with nothing in them are none. */
export const isGiven = (value: unknown): boolean =>
  value !== undefined && value !== null && value !== "" && !(Array.isArray(value) && value.length === 0)

/** The given fields that are not among the known ones. */
export const othersOf = (value: unknown, known: Fields): Fields | undefined => {
  if (!isFields(value)) return undefined
  const others = Object.entries(value).filter(([name, inner]) => !Object.hasOwn(known, name) && isGiven(inner))
  return others.length === 0 ? undefined : Object.fromEntries(others)
}

/** Fields that are probably slips of known ones that are absent: `wieght → weight?`. */
export const slipsOf = (value: unknown, known: readonly string[]): readonly Remark[] => {
  if (!isFields(value)) return []
  const absent = known.filter((name) => !Object.hasOwn(value, name))
  return Object.keys(value).flatMap((name): Remark[] => {
    const near = known.includes(name) ? undefined : nearestName(name, absent)
    return near === undefined ? [] : [{ kind: "unknown-field", subject: `${name} → ${near}?` }]
  })
}

/** Id, weight and metadata of a row's example; fields that are not among the known ones are metadata, too. */
export const description = (
  row: {
    readonly id?: string | number | null
    readonly weight?: number | null
    readonly metadata?: Fields | null
  },
  value: unknown,
  known: Fields,
  ownId: string,
): { readonly id: string; readonly weight?: number; readonly metadata?: Fields } => {
  const metadata = { ...row.metadata, ...othersOf(value, known) }
  return {
    id: String(row.id ?? ownId),
    ...(typeof row.weight === "number" ? { weight: row.weight } : {}),
    ...(Object.keys(metadata).length === 0 ? {} : { metadata }),
  }
}
