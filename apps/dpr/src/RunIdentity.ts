import { createHash } from "node:crypto"
import { existsSync } from "node:fs"
import { packageVersion } from "@tandem/files/node/PackageVersion"
import { encoderOf, fingerprint, type Towers, towerFrom } from "@tandem/retriever"
import { Effect, Option, Schema } from "effect"
import { SettingsError } from "./Errors.ts"
import { hashPath, readJson } from "./RunFolder.ts"
import type { RetrievalSettings } from "./SearchTowers.ts"
import type { DprSettings } from "./Settings.ts"

/** Settings that may differ between a run and its resumption, because they do not touch the sequence of steps. */
const incidental = ["out", "resume", "threads", "device", "saveEvery"] as const

/** What a run was made of: versions, hashes of data and models, and one fingerprint over all that decides its steps. */
export const runIdentity = Effect.fnUntraced(function* (
  settings: DprSettings,
  towers: Towers,
  retrieval: RetrievalSettings,
) {
  const data: Record<string, string> = {}
  for (const file of [...settings.data, ...settings.dev, ...(settings.corpus === undefined ? [] : [settings.corpus])]) {
    data[file] = yield* hashPath(file)
  }
  const query = yield* fingerprint(towerFrom(towers, "query"))
  const models = {
    query,
    passage: towers.kind === "untied" ? yield* fingerprint(towerFrom(towers, "passage")) : query,
  }
  const text = JSON.stringify([deciding(settings), retrieval, Object.values(data), models])
  return {
    versions: {
      tandem: packageVersion(import.meta.url) ?? "unknown",
      node: process.versions.node,
      architecture: encoderOf(towers, "query").config.architecture,
    },
    data,
    models,
    fingerprint: createHash("sha256").update(text).digest("hex"),
  }
})

const deciding = (settings: object): Readonly<Record<string, unknown>> =>
  Object.fromEntries(Object.entries(settings).filter(([name]) => !incidental.some((other) => other === name)))

const Started = Schema.Struct({ settings: Schema.Record(Schema.String, Schema.Unknown), fingerprint: Schema.String })

/** Refuses to resume a run that was started with other settings, models or data, before anything of it is touched. */
export const refuseOtherRun = Effect.fnUntraced(function* (config: string, settings: DprSettings, fingerprint: string) {
  if (!existsSync(config)) return
  const started = Option.getOrUndefined(Schema.decodeUnknownOption(Started)(yield* readJson(config)))
  if (started === undefined || started.fingerprint === fingerprint) return
  const [before, now] = [deciding(started.settings), deciding(settings)]
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
