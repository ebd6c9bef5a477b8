import { NotOnHub } from "../Errors.ts"
import { modelKind } from "./ModelTypes.ts"

/** A model on the hub at a branch, tag or commit. */
export interface HubId {
  readonly name: string
  readonly revision: string
}

const part = "[A-Za-z0-9][A-Za-z0-9._-]*"
const shape = new RegExp(`^(${part}(?:/${part})?)(?:@(${part}(?:/${part})*))?$`)

/** Whether a text could name a model on the hub: `org/name`, `name`, either with `@revision`. */
export const isHubId = (text: string): boolean => shape.test(text) && !text.includes("..")

/** Takes `org/name@revision` apart; the revision is `main` where absent. Anything else ends in `NotOnHub`. */
export const parseHubId = (text: string): HubId => {
  const match = isHubId(text) ? shape.exec(text) : null
  if (match?.[1] !== undefined) return { name: match[1], revision: match[2] ?? "main" }
  throw new NotOnHub({
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

/** Files that a model may need besides its weights, as transformers and sentence-transformers name them. */
const settings =
  /^(config|generation_config|tokenizer|tokenizer_config|special_tokens_map|added_tokens|vocab|modules|sentence_[a-z-]+_config|config_sentence_transformers)\.json$|^(vocab|merges)\.txt$|^chat_template\.jinja$|^\d+_[A-Za-z]+\/config\.json$/

/** The small files of a repository that are needed whatever the weights are. */
export const settingsFiles = (paths: readonly string[]): readonly string[] =>
  paths.filter((path) => settings.test(path))

/** The sets of ONNX files that a model can consist of; the first that is there is taken. */
const models: readonly (readonly string[])[] = [
  ["onnx/model.onnx"],
  ["model.onnx"],
  ["onnx/encoder_model.onnx", "onnx/decoder_model_merged.onnx"],
  ["onnx/decoder_model_merged.onnx"],
]

/**
 * The files of a repository that hold the weights: safetensors, in one file or in several with their index, where the
 * architecture is one that this package builds, else an ONNX model with its data files, else whatever there is of the two.
 */
export const weightFiles = (
  paths: readonly string[],
  modelType: unknown,
  prefer: "weights" | "onnx",
): readonly string[] => {
  const single = paths.filter((path) => path === "model.safetensors")
  const index = paths.includes("model.safetensors.index.json")
  const sharded = index ? paths.filter((path) => /^model[^/]*\.safetensors(\.index\.json)?$/.test(path)) : []
  const weights = single.length > 0 ? single : sharded
  const files = models.find((set) => set.every((file) => paths.includes(file))) ?? []
  const onnx = paths.filter((path) => files.some((file) => path === file || path.startsWith(`${file}_data`)))
  const [first, second] = prefer === "weights" && modelKind(modelType) !== undefined ? [weights, onnx] : [onnx, weights]
  return first.length > 0 ? first : second
}
