import { checkpointTarget, storeTarget } from "./FolderTargets.ts"
import { onnxTargets } from "./OnnxTargets.ts"
import type { Target } from "./Target.ts"
import { safetensorsTarget, tokenizerTarget } from "./TensorTargets.ts"

/** Everything that is damaged. */
export const fuzzTargets = async (): Promise<readonly Target[]> => [
  ...onnxTargets(),
  safetensorsTarget(),
  tokenizerTarget("sentence-transformers-tiny"),
  tokenizerTarget("decoders/llama"),
  await storeTarget(),
  await checkpointTarget(),
]
