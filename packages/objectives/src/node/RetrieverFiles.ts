import { join } from "node:path"
import { filesIn } from "@tandem/files/node/FilesIn"
import { hashPath, writeJson } from "@tandem/runs/node/RunFiles"
import { Effect } from "effect"
import { retrieverFiles, retrieverRecord } from "../retrieval/CheckRetrieverFiles.ts"

/** Writes down, beside a run's retriever, SHA-256 of its tokenizer's and settings' files. */
export const recordRetrieverFiles = Effect.fnUntraced(function* (run: string) {
  const files: Record<string, string> = {}
  for (const name of yield* retrieverFiles(filesIn(run))) files[name] = yield* hashPath(join(run, name))
  yield* writeJson(join(run, retrieverRecord), { format: 1, files })
})
