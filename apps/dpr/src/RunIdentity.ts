import { createHash } from "node:crypto"
import { encoderOf, fingerprint, type Towers, towerFrom } from "@tandem/retriever"
import { Effect } from "effect"
import { hashPath } from "./RunFolder.ts"
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
  const models = {
    query: yield* fingerprint(towerFrom(towers, "query")),
    passage: yield* fingerprint(towerFrom(towers, "passage")),
  }
  const deciding = Object.fromEntries(
    Object.entries(settings).filter(([name]) => !incidental.some((other) => other === name)),
  )
  const text = JSON.stringify([deciding, retrieval, Object.values(data), models])
  return {
    versions: {
      tandem: "0.1.0",
      node: process.versions.node,
      architecture: encoderOf(towers, "query").config.architecture,
    },
    data,
    models,
    fingerprint: createHash("sha256").update(text).digest("hex"),
  }
})
