import { join } from "node:path"
import { readSafetensors } from "@tandem/safetensors"
import { Effect } from "effect"
import { type PeftAdapter, readPeftAdapter } from "../adapter/PeftAdapter.ts"
import { peftConfigFile, peftWeightsFile, readPeftConfig } from "../adapter/PeftConfig.ts"
import type { ModelError } from "../Errors.ts"
import { attempt } from "../internal/Attempt.ts"
import { readBytes, readJson } from "../internal/node/Files.ts"

/**
 * Loads LoRA adapters from a folder that PEFT wrote: `adapter_config.json` and `adapter_model.safetensors`. A file that
 * cannot be read ends in `InvalidEncoder` or `InvalidSafetensors`, adapters that are not plain LoRA in `InvalidAdapter`.
 */
export const loadPeftAdapter = Effect.fn("loadPeftAdapter")(function* (
  directory: string,
): Effect.fn.Return<PeftAdapter, ModelError> {
  const json = yield* readJson(join(directory, peftConfigFile))
  const config = yield* attempt(() => readPeftConfig(json, join(directory, peftConfigFile)))
  const file = join(directory, peftWeightsFile)
  const bytes = yield* readBytes(file)
  return yield* attempt(() => readPeftAdapter(config, readSafetensors(bytes, file).tensors, file))
})
