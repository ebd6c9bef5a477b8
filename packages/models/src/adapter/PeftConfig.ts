import { InvalidAdapter } from "../Errors.ts"
import { isRecord } from "../internal/Record.ts"

/** The files of a folder that PEFT wrote. */
export const peftConfigFile = "adapter_config.json"
export const peftWeightsFile = "adapter_model.safetensors"

/** The settings of LoRA adapters as PEFT's `adapter_config.json` holds them. */
export interface PeftConfig {
  readonly rank: number
  readonly alpha: number
  readonly dropout: number
  /** Whether the scale is alpha / √rank. */
  readonly useRslora: boolean
  /** Ends of module names, or a regular expression. */
  readonly targetModules: string | readonly string[]
  /** Whether PyTorch stores the weights as `[in, out]`, as GPT-2's `Conv1D` does. */
  readonly fanInFanOut: boolean
  /** Such as `CAUSAL_LM`, `FEATURE_EXTRACTION` or `SEQ_2_SEQ_LM`. */
  readonly taskType: string | undefined
  /** Name or path of the model that the adapters belong to. */
  readonly baseModel: string | undefined
}

/** What adapters may have that changes the mathematics in a way that is not built, with the values that change nothing. */
const extras: readonly string[] = [
  "alora_invocation_tokens",
  "alpha_pattern",
  "arrow_config",
  "kasa_config",
  "layer_replication",
  "lora_bias",
  "lora_ga_config",
  "modules_to_save",
  "monteclora_config",
  "rank_pattern",
  "target_parameters",
  "trainable_token_indices",
  "use_bdlora",
  "use_dora",
  "use_qalora",
  "velora_config",
]

/** Ways to begin that leave the base model's weights alone. */
const harmlessStarts: readonly unknown[] = [true, false, "gaussian", "eva", "orthogonal"]

const isNothing = (value: unknown): boolean =>
  value === undefined ||
  value === null ||
  value === false ||
  (Array.isArray(value) && value.length === 0) ||
  (isRecord(value) && Object.keys(value).length === 0)

/**
 * Reads an `adapter_config.json`. Other methods than LoRA, and what changes LoRA's mathematics (DoRA, ranks by pattern,
 * trained biases, whole modules that were trained too), end in `InvalidAdapter` that names the field; so do missing or
 * impossible values.
 */
export const readPeftConfig = (json: unknown, file = "adapter_config.json"): PeftConfig => {
  if (!isRecord(json)) throw new InvalidAdapter({ message: "the adapter's config is not a JSON object", file })
  const wrong = (field: string, expected: string): InvalidAdapter => {
    const found = JSON.stringify(json[field]) ?? "nothing"
    return new InvalidAdapter({ message: `${field} of the adapter's config is ${found}`, file, field, expected, found })
  }
  const number = (field: string, fallback: number | undefined, accept: (value: number) => boolean): number => {
    const value = json[field] ?? fallback
    if (typeof value === "number" && accept(value)) return value
    throw wrong(field, "a possible number")
  }
  const flag = (field: string): boolean => {
    const value = json[field] ?? false
    if (typeof value === "boolean") return value
    throw wrong(field, "true or false")
  }
  const text = (field: string): string | undefined => {
    const value = json[field] ?? undefined
    if (value === undefined || typeof value === "string") return value
    throw wrong(field, "a text or null")
  }
  if (json["peft_type"] !== "LORA") throw wrong("peft_type", "LORA")
  if ((json["bias"] ?? "none") !== "none") throw wrong("bias", "none")
  const extra = extras.find((field) => !isNothing(json[field]))
  if (extra !== undefined) throw wrong(extra, "plain LoRA, without it")
  if (!harmlessStarts.includes(json["init_lora_weights"] ?? true)) {
    throw wrong("init_lora_weights", "a start that leaves the base model's weights as they are")
  }
  const targets = json["target_modules"]
  const isList = Array.isArray(targets) && targets.every((name) => typeof name === "string")
  if (typeof targets !== "string" && !isList) throw wrong("target_modules", "a list of names or a regular expression")
  return {
    rank: number("r", undefined, (value) => Number.isSafeInteger(value) && value > 0),
    alpha: number("lora_alpha", 8, (value) => value > 0),
    dropout: number("lora_dropout", 0, (value) => value >= 0 && value < 1),
    useRslora: flag("use_rslora"),
    targetModules: targets,
    fanInFanOut: flag("fan_in_fan_out"),
    taskType: text("task_type"),
    baseModel: text("base_model_name_or_path"),
  }
}

/** The `adapter_config.json` of adapters. */
export const peftConfigJson = (config: PeftConfig): Readonly<Record<string, unknown>> => ({
  alpha_pattern: {},
  auto_mapping: null,
  base_model_name_or_path: config.baseModel ?? null,
  bias: "none",
  fan_in_fan_out: config.fanInFanOut,
  inference_mode: true,
  init_lora_weights: true,
  layer_replication: null,
  layers_pattern: null,
  layers_to_transform: null,
  lora_alpha: config.alpha,
  lora_dropout: config.dropout,
  modules_to_save: null,
  peft_type: "LORA",
  r: config.rank,
  rank_pattern: {},
  revision: null,
  target_modules: config.targetModules,
  task_type: config.taskType ?? null,
  use_dora: false,
  use_rslora: config.useRslora,
})
