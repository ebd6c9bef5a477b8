import { writeSafetensors } from "@tandem/safetensors"
import { Effect } from "effect"
import { type PeftAdapter, peftTensors } from "../adapter/PeftAdapter.ts"
import { peftConfigFile, peftConfigJson, peftWeightsFile } from "../adapter/PeftConfig.ts"
import type { ModelError } from "../Errors.ts"
import { attempt } from "../internal/Attempt.ts"
import { type Content, writeDirectory } from "../internal/node/WriteDirectory.ts"

/**
 * Saves LoRA adapters as PEFT does, so that `PeftModel.from_pretrained(base, directory)` loads them. Equal adapters give
 * equal files. The directory is written aside and put in place at the end; what fails ends in `SaveFailed`.
 */
export const savePeftAdapter = Effect.fn("savePeftAdapter")(function* (
  directory: string,
  adapter: PeftAdapter,
): Effect.fn.Return<void, ModelError> {
  const bytes = yield* attempt(() => writeSafetensors(peftTensors(adapter), { format: "pt" }))
  yield* writeDirectory(
    directory,
    new Map<string, Content>([
      [peftConfigFile, { json: peftConfigJson(adapter.config) }],
      [peftWeightsFile, { bytes }],
    ]),
  )
})
