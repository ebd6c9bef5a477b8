import { join } from "node:path"
import { readSafetensors, writeSafetensors } from "@tandem/safetensors"
import { Effect } from "effect"
import { type PeftAdapter, peftTensors, readPeftAdapter } from "../adapter/PeftAdapter.ts"
import { peftConfigJson, readPeftConfig } from "../adapter/PeftConfig.ts"
import type { ModelError } from "../Errors.ts"
import { attempt } from "../encoder/WeightsEncoder.ts"
import { readBytes, readJson } from "../internal/node/Files.ts"
import { type Content, writeDirectory } from "../internal/node/WriteDirectory.ts"

const configFile = "adapter_config.json"
const weightsFile = "adapter_model.safetensors"

/**
 * Loads LoRA adapters from a folder that PEFT wrote: `adapter_config.json` and `adapter_model.safetensors`. A file that
 * cannot be read ends in `InvalidEncoder` or `InvalidSafetensors`, adapters that are not plain LoRA in `InvalidAdapter`.
 */
export const loadPeftAdapter = Effect.fn("loadPeftAdapter")(function* (
  directory: string,
): Effect.fn.Return<PeftAdapter, ModelError> {
  const json = yield* readJson(join(directory, configFile))
  const config = yield* attempt(() => readPeftConfig(json, join(directory, configFile)))
  const file = join(directory, weightsFile)
  const bytes = yield* readBytes(file)
  return yield* attempt(() => readPeftAdapter(config, readSafetensors(bytes, file).tensors, file))
})

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
      [configFile, { json: peftConfigJson(adapter.config) }],
      [weightsFile, { bytes }],
    ]),
  )
})
