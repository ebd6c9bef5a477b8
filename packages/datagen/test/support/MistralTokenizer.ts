import { makeTokenizer, type Tokenizer } from "@tandem/models"
import mistral from "mistral-tokenizer-js"

/**
 * Mistral-7B-v0.1's tokenizer: vocabulary and merges from the package `mistral-tokenizer-js`, laid out as its
 * `tokenizer.json` has them. What encodes is our own.
 */
export const mistralTokenizer = (): Tokenizer => {
  const special = ["<unk>", "<s>", "</s>"]
  const begin = { SpecialToken: { id: "<s>", type_id: 0 } }
  const first = { Sequence: { id: "A", type_id: 0 } }
  return makeTokenizer({
    tokenizer: {
      version: "1.0",
      added_tokens: special.map((content, id) => ({
        ...{ id, content, special: true, normalized: false, single_word: false, lstrip: false, rstrip: false },
      })),
      normalizer: {
        type: "Sequence",
        normalizers: [
          { type: "Prepend", prepend: "▁" },
          { type: "Replace", pattern: { String: " " }, content: "▁" },
        ],
      },
      pre_tokenizer: null,
      post_processor: {
        type: "TemplateProcessing",
        single: [begin, first],
        pair: [begin, first, { Sequence: { id: "B", type_id: 1 } }],
        special_tokens: { "<s>": { id: "<s>", ids: [1], tokens: ["<s>"] } },
      },
      decoder: null,
      model: {
        ...{ type: "BPE", unk_token: "<unk>", fuse_unk: true, byte_fallback: true },
        vocab: Object.fromEntries(mistral.vocabById.map((token, id) => [token, id])),
        merges: [...mistral.merges].sort(([, a], [, b]) => a - b).map(([pair]) => pair),
      },
    },
    config: { tokenizer_class: "LlamaTokenizer", bos_token: "<s>", eos_token: "</s>", unk_token: "<unk>" },
  })
}
