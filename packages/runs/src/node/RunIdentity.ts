import { createHash } from "node:crypto"
import { existsSync } from "node:fs"
import { packageVersion } from "@tandem/files/node/PackageVersion"
import { Effect, Option, Schema } from "effect"
import { SettingsError } from "../Errors.ts"
import type { RunInputs } from "../TrainPlan.ts"
import { hashPath, readJson } from "./RunFiles.ts"

/** Settings that may differ between a run and its resumption, because they do not touch the sequence of steps. */
const always = ["out", "resume", "threads", "device", "saveEvery", "recompute"] as const

/** What a run was made of: versions, hashes of data and models, and one fingerprint over all that decides its steps. */
export const runIdentity = Effect.fnUntraced(function* <E>(
  settings: object,
  { files, models: fingerprints, resolved, incidental = [] }: RunInputs<E>,
  versions: Readonly<Record<string, string>>,
) {
  const data: Record<string, string> = {}
  for (const file of files) data[file] = yield* hashPath(file)
  const models = yield* fingerprints
  const text = JSON.stringify([deciding(settings, incidental), resolved, Object.values(data), models])
  return {
    versions: { tandem: packageVersion(import.meta.url) ?? "unknown", node: process.versions.node, ...versions },
    data,
    models,
    fingerprint: createHash("sha256").update(text).digest("hex"),
  }
})

const deciding = (settings: object, incidental: readonly string[]): Readonly<Record<string, unknown>> => {
  const left: readonly string[] = [...always, ...incidental]
  return Object.fromEntries(Object.entries(settings).filter(([name]) => !left.includes(name)))
}

const Started = Schema.Struct({ settings: Schema.Record(Schema.String, Schema.Unknown), fingerprint: Schema.String })

const Recorded = Schema.Struct({
  settings: Schema.Record(Schema.String, Schema.Unknown),
  data: Schema.Record(Schema.String, Schema.String),
  models: Schema.Record(Schema.String, Schema.String),
})

/**
 * What is not as it was in the run whose `config.json` is repeated, in words: files of data under the same names, and, where
 * all settings and data are the same, models.
 */
export const changedSince = Effect.fnUntraced(function* (
  config: string,
  settings: object,
  identity: Pick<typeof Recorded.Type, "data" | "models">,
  incidental: readonly string[] = [],
) {
  const recorded = Option.getOrUndefined(
    Option.flatMap(yield* Effect.option(readJson(config)), Schema.decodeUnknownOption(Recorded)),
  )
  if (recorded === undefined) return [`${config} does not say which data and models its run had`]
  const changed = (what: string, before: Readonly<Record<string, string>>, now: Readonly<Record<string, string>>) =>
    Object.entries(now).flatMap(([name, found]) => {
      const expected = before[name]
      return expected === undefined || expected === found
        ? []
        : [`${what}${name} has changed since the run of ${config}: expected ${short(expected)}, found ${short(found)}`]
    })
  const data = changed("", recorded.data, identity.data)
  const [before, now] = [recorded.settings, settings].map((all) => JSON.stringify(sorted(deciding(all, incidental))))
  return data.length > 0 || before !== now ? data : changed("the model ", recorded.models, identity.models)
})

/** A hash as far as people compare it. */
const short = (hash: string): string => `SHA-256 ${hash.slice(0, 12)}…`

const sorted = (values: Readonly<Record<string, unknown>>): object =>
  Object.fromEntries(Object.entries(values).sort(([a], [b]) => (a < b ? -1 : 1)))

/** Refuses to resume a run that was started with other settings, models or data, before anything of it is touched. */
export const refuseOtherRun = Effect.fnUntraced(function* (
  config: string,
  settings: object,
  {
    fingerprint,
    incidental = [],
  }: { readonly fingerprint: string; readonly incidental?: readonly string[] | undefined },
) {
  if (!existsSync(config)) return
  const started = Option.getOrUndefined(Schema.decodeUnknownOption(Started)(yield* readJson(config)))
  if (started === undefined || started.fingerprint === fingerprint) return
  const [before, now] = [deciding(started.settings, incidental), deciding(settings, incidental)]
  const changed = Object.keys({ ...before, ...now }).filter(
    (name) => JSON.stringify(before[name]) !== JSON.stringify(now[name]),
  )
  const show = (values: Readonly<Record<string, unknown>>) =>
    changed.map((name) => `${name} ${JSON.stringify(values[name]) ?? "unset"}`).join(", ")
  return yield* new SettingsError({
    message: `the run was started with other ${changed.length === 0 ? "models or data" : "settings"}`,
    file: config,
    ...(changed.length === 0 ? {} : { field: changed.join(", "), expected: show(before), found: show(now) }),
    hint: "resume with what the run was started with, or choose another folder",
  })
})
