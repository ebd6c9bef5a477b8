import { HubError } from "./Errors.ts"

/** A model on the hub at a branch, tag or commit. */
export interface HubId {
  readonly name: string
  readonly revision: string
}

const part = "[A-Za-z0-9][A-Za-z0-9._-]*"
const shape = new RegExp(`^(${part}(?:/${part})?)(?:@(${part}(?:/${part})*))?$`)

/** Whether a text could name a model on the hub: `org/name`, `name`, either with `@revision`. */
export const isHubId = (text: string): boolean => shape.test(text) && !text.includes("..")

/** Takes `org/name@revision` apart; the revision is `main` where absent. Anything else ends in `HubError`. */
export const parseHubId = (text: string): HubId => {
  const match = isHubId(text) ? shape.exec(text) : null
  if (match?.[1] !== undefined) return { name: match[1], revision: match[2] ?? "main" }
  throw new HubError({
    message: `${text} is not the name of a model on the hub`,
    expected: "organisation/name or organisation/name@revision",
    found: text,
  })
}

/** Whether a path from elsewhere stays inside the folder that it is put in, on every platform. */
export const isSafePath = (path: string): boolean =>
  path !== "" &&
  !/[\\:*?"<>|]/.test(path) &&
  [...path].every((character) => character >= " ") &&
  path.split("/").every((segment) => segment !== "" && segment !== "." && segment !== "..")

/** Files that every encoder may need besides its weights, as transformers and sentence-transformers name them. */
const settings =
  /^(config|tokenizer|tokenizer_config|special_tokens_map|added_tokens|modules|sentence_[a-z]+_config|config_sentence_transformers)\.json$|^vocab\.txt$|^\d+_[A-Za-z]+\/config\.json$/

/** The small files of a repository that are needed whatever the weights are. */
export const settingsFiles = (paths: readonly string[]): readonly string[] =>
  paths.filter((path) => settings.test(path))

/**
 * The files of a repository that hold the weights: `model.safetensors` where the architecture is one that this package
 * builds, else an ONNX model with its data files, else whatever there is of the two.
 */
export const weightFiles = (
  paths: readonly string[],
  modelType: unknown,
  prefer: "weights" | "onnx",
): readonly string[] => {
  const weights = paths.filter((path) => path === "model.safetensors")
  const model = ["onnx/model.onnx", "model.onnx"].find((path) => paths.includes(path))
  const onnx = paths.filter((path) => path === model || (model !== undefined && path.startsWith(`${model}_data`)))
  const builds = ["bert", "distilbert", "dpr"].includes(String(modelType))
  const [first, second] = prefer === "weights" && builds ? [weights, onnx] : [onnx, weights]
  return first.length > 0 ? first : second
}
