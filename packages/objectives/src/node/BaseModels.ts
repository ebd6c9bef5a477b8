import { existsSync } from "node:fs"
import { basename, resolve } from "node:path"
import type { Side } from "@tandem/retriever"
import type { BaseModel } from "../retrieval/ModelCard.ts"
import type { RetrieverSettings } from "../retrieval/RetrieverFields.ts"

/** What the settings' models are for a model card. Of a folder only its own name is told, not where it lies. */
export const baseModels = (settings: RetrieverSettings): Readonly<Record<Side, BaseModel>> => {
  const query = settings.retriever ?? settings.queryEncoder ?? settings.model ?? ""
  return { query: baseModel(query), passage: baseModel(settings.passageEncoder ?? query) }
}

const baseModel = (name: string): BaseModel => {
  if (/^tiny(:\d+)?$/.test(name)) return { kind: "random" }
  const id = name.replace(/@[^@]*$/, "")
  return existsSync(name) || !/^[\w.-]+\/[\w.-]+$/.test(id)
    ? { kind: "folder", name: basename(resolve(name)) }
    : { kind: "hub", id }
}
