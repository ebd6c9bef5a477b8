import { InvalidTokenizer } from "../Errors.ts"
import type { TokenizerFiles } from "./Tokenizer.ts"

/** BERT's special tokens, in the order in which they stand in vocabularies that this package trains. */
export const specialTokens = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"] as const

/** How BERT's tokenizer prepares a text. */
export interface WordPieceSettings {
  /** Lower case and without accents, as the `uncased` models want it. */
  readonly lowerCase: boolean
  /** The longest sequence of the model. */
  readonly maxLength: number
}

/**
 * The `tokenizer.json` and `tokenizer_config.json` of a BERT tokenizer with these word pieces, the index of each being
 * its id. A vocabulary without one of the special tokens ends in `InvalidTokenizer`.
 */
export const wordPieceFiles = (tokens: readonly string[], settings: WordPieceSettings): TokenizerFiles => {
  const ids = new Map(tokens.map((token, id) => [token, id]))
  const id = (token: string): number => {
    const found = ids.get(token)
    if (found === undefined) {
      throw new InvalidTokenizer({
        message: `the vocabulary lacks the special token ${token}`,
        expected: specialTokens.join(" "),
        found: `${tokens.length} tokens`,
      })
    }
    return found
  }
  const special = (token: string, type: number) => ({ SpecialToken: { id: token, type_id: type } })
  const sequence = (name: string, type: number) => ({ Sequence: { id: name, type_id: type } })
  const template = (token: string) => [token, { id: token, ids: [id(token)], tokens: [token] }]
  const single = [special("[CLS]", 0), sequence("A", 0), special("[SEP]", 0)]
  return {
    tokenizer: {
      version: "1.0",
      truncation: null,
      padding: null,
      added_tokens: specialTokens.map((content) => ({
        id: id(content),
        content,
        single_word: false,
        lstrip: false,
        rstrip: false,
        normalized: false,
        special: true,
      })),
      normalizer: {
        type: "BertNormalizer",
        clean_text: true,
        handle_chinese_chars: true,
        strip_accents: null,
        lowercase: settings.lowerCase,
      },
      pre_tokenizer: { type: "BertPreTokenizer" },
      post_processor: {
        type: "TemplateProcessing",
        single,
        pair: [...single, sequence("B", 1), special("[SEP]", 1)],
        special_tokens: Object.fromEntries(["[CLS]", "[SEP]"].map(template)),
      },
      decoder: { type: "WordPiece", prefix: "##", cleanup: true },
      model: {
        type: "WordPiece",
        unk_token: "[UNK]",
        continuing_subword_prefix: "##",
        max_input_chars_per_word: 100,
        vocab: Object.fromEntries(ids),
      },
    },
    config: {
      tokenizer_class: "BertTokenizer",
      do_lower_case: settings.lowerCase,
      tokenize_chinese_chars: true,
      strip_accents: null,
      model_max_length: settings.maxLength,
      clean_up_tokenization_spaces: true,
      pad_token: "[PAD]",
      unk_token: "[UNK]",
      cls_token: "[CLS]",
      sep_token: "[SEP]",
      mask_token: "[MASK]",
    },
  }
}

/** The tokens of a `vocab.txt`, one a line. */
export const readVocabulary = (text: string): readonly string[] => {
  const lines = text.split(/\r?\n/)
  return lines.at(-1) === "" ? lines.slice(0, -1) : lines
}
