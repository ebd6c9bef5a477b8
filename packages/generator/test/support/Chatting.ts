import { readFileSync } from "node:fs"
import { makeTokenizer, type Tokenizer } from "@tandem/models"

const golden = new URL("../../../../test/golden/", import.meta.url)
const json = (path: string) => JSON.parse(readFileSync(new URL(path, golden), "utf8"))
const { tokenizer: bytes } = json("prompts.json").kinds["byte-level, GPT-2's words"]
const models: Readonly<Record<string, { readonly tokens: Readonly<Record<string, string>> }>> =
  json("chat-templates/golden.json").models

/** Models whose chat templates are there. */
export const chatModels: readonly string[] = Object.keys(models)

/** A byte-level tokenizer with a model's template, in which special tokens are one token each. */
export const chatting = (name: string): Tokenizer => {
  const chatTemplate = readFileSync(new URL(`chat-templates/${name}.jinja`, golden), "utf8")
  const special = ["<|im_start|>", "<|im_end|>", "<|eot_id|>", "<|end|>", "<end_of_turn>", "</s>", "<s>", "[INST]"]
  const added = special.map((content, index) => ({
    ...bytes.added_tokens[0],
    id: 300 + index,
    content,
    special: false,
  }))
  return makeTokenizer({
    tokenizer: { ...bytes, added_tokens: [...bytes.added_tokens, ...added] },
    config: { ...models[name]?.tokens, clean_up_tokenization_spaces: false },
    chatTemplate,
  })
}
