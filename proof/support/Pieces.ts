// What a proof has measured of one system, question by question: kept beside the run while it is measured, and in the record
// once it is whole, so that a proof of many hours goes on from the record alone, on another machine as well.
import { existsSync, readFileSync } from "node:fs"
import { writeWhole } from "@tandem/files/node/WriteWhole"
import { Schema } from "effect"

/** Values by figure, in the questions' order. */
export type PerQuestion = Readonly<Record<string, readonly number[]>>

const Values = Schema.Record(Schema.String, Schema.Array(Schema.Number))

/**
 * Measures questions some at a time; what a file holds of them already is not measured again, and each part is added to it
 * as soon as it is known.
 */
export const measuredInParts = async <Q>(
  file: string,
  questions: readonly Q[],
  {
    size,
    measure,
  }: { readonly size: number; readonly measure: (some: readonly Q[], part: number) => Promise<PerQuestion> },
): Promise<PerQuestion> => {
  const decode = Schema.decodeUnknownSync(Schema.fromJsonString(Values))
  const parts: PerQuestion[] = existsSync(file)
    ? readFileSync(file, "utf8")
        .trimEnd()
        .split("\n")
        .map((line) => decode(line))
    : []
  for (let part = parts.length; part * size < questions.length; part++) {
    parts.push(await measure(questions.slice(part * size, (part + 1) * size), part))
    await writeWhole(file, parts.map((each) => `${JSON.stringify(each)}\n`).join(""))
  }
  const names = [...new Set(parts.flatMap((each) => Object.keys(each)))]
  return Object.fromEntries(names.map((name) => [name, parts.flatMap((each) => each[name] ?? [])]))
}

/** Values as a record holds them: a text a figure, four digits behind the point. */
export const packed = (values: PerQuestion): Readonly<Record<string, string>> =>
  Object.fromEntries(
    Object.entries(values).map(([name, row]) => [name, row.map((value) => String(Number(value.toFixed(4)))).join(" ")]),
  )

/** Values that a record holds. */
export const unpacked = (values: Readonly<Record<string, string>>): PerQuestion =>
  Object.fromEntries(Object.entries(values).map(([name, row]) => [name, row.split(" ").map(Number)]))

const Recorded = Schema.Struct({
  settings: Schema.Record(Schema.String, Schema.Unknown),
  figures: Schema.Struct({ perQuestion: Schema.Record(Schema.String, Schema.Record(Schema.String, Schema.String)) }),
})

/** What a record of these settings holds of each system; nothing where there is no record, or one of others. */
export const recordedSystems = (
  file: string,
  settings: Readonly<Record<string, unknown>>,
): ReadonlyMap<string, PerQuestion> => {
  if (!existsSync(file)) return new Map()
  const found = Schema.decodeUnknownOption(Schema.fromJsonString(Recorded))(readFileSync(file, "utf8"))
  if (found._tag === "None" || JSON.stringify(found.value.settings) !== JSON.stringify(settings)) return new Map()
  return new Map(Object.entries(found.value.figures.perQuestion).map(([name, values]) => [name, unpacked(values)]))
}
