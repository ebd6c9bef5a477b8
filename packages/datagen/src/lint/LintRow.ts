import { type InstructionExample, segmentTokens } from "@tandem/datasets"
import { chatTemplateOf, conversationTokens, InvalidPrompt, type LabelledTokens } from "@tandem/generator"
import { framingTokens, specialToken } from "@tandem/generator/prompt/SpecialTokens"
import type { Tokenizer } from "@tandem/models"

/** What can be wrong with a row under a tokenizer. */
export const lintKinds = {
  "too-long": "longer than the sequence length: trainers drop such a row without a word",
  untrained: "no token is trained",
  "no-bos": "does not begin with the token that the tokenizer puts before texts",
  "doubled-bos": "has the token that begins texts more than once",
  "no-end": "trains no token that ends a text: the model would not learn to stop",
  "foreign-token": "holds a special token of another model, which becomes ordinary text",
  "unknown-token": "holds text that the tokenizer has no token for",
  "empty-segment": "has a segment or a turn without text",
  unreadable: "cannot be laid out as tokens",
} as const

export type LintKind = keyof typeof lintKinds

/** Something that is wrong with a row; warnings fail no check. */
export interface LintFinding {
  readonly kind: LintKind
  readonly level: "error" | "warning"
  readonly detail: string
}

/** What a row is under a tokenizer. */
export interface LintedRow {
  readonly tokens: number
  readonly trained: number
  readonly findings: readonly LintFinding[]
}

export interface LintOptions {
  readonly tokenizer: Tokenizer
  /** Most tokens of a row. */
  readonly sequenceLength: number
}

/** Markers that models have in their vocabularies, and others write out in pieces. */
const markers = /<\|[\w ]{1,40}\|>|<\/?s>|\[\/?INST\]|<<\/?SYS>>|<(?:start|end)_of_turn>|<(?:bos|eos|pad)>/g

/** Tokens that end a turn in chat templates, beside the tokenizer's own. */
const turnEnds = ["</s>", "<|im_end|>", "<|eot_id|>", "<|end_of_text|>", "<|endoftext|>", "<end_of_turn>", "<|end|>"]

/**
 * A function that looks at rows as a trainer would read them: segments tokenized one by one (Axolotl's `input_output`, this
 * project's `ralt`), conversations laid out by the tokenizer's chat template.
 */
export const rowLinter = ({ tokenizer, sequenceLength }: LintOptions): ((example: InstructionExample) => LintedRow) => {
  const idOf = (field: string): number | undefined => {
    const token = specialToken(tokenizer, field)
    return token === undefined ? undefined : tokenizer.tokenId(token)
  }
  const [bos, eos, unknown] = [idOf("bos_token"), idOf("eos_token"), idOf("unk_token")]
  const ends = [...new Set([eos, ...turnEnds.map(tokenizer.tokenId)])].filter((id) => id !== undefined)
  const begins = bos !== undefined && framingTokens(tokenizer).before.includes(bos)
  const labelled = tokensOf(tokenizer, ends)

  return (example) => {
    const tokens = labelled(example)
    const texts = textFindings(example, tokenizer)
    if (tokens instanceof InvalidPrompt)
      return { tokens: 0, trained: 0, findings: [finding("unreadable", tokens.message), ...texts] }
    const { ids, labels } = tokens
    const countOf = (id: number | undefined): number => (id === undefined ? 0 : ids.filter((one) => one === id).length)
    // Nothing predicts the first token.
    const trained = labels.filter((label, at) => label && at > 0).length
    const isEnded = ids.some((id, at) => labels[at] === true && ends.includes(id))
    const findings: readonly (LintFinding | false)[] = [
      ids.length > sequenceLength && finding("too-long", `${ids.length} tokens, at most ${sequenceLength}`),
      trained === 0 && finding("untrained", `${ids.length} tokens, all masked`),
      begins && ids[0] !== bos && finding("no-bos", `begins with token ${ids[0] ?? "none"}, expected ${bos}`),
      // Some models begin and end with one token.
      bos !== eos && countOf(bos) > 1 && finding("doubled-bos", `token ${bos} stands ${countOf(bos)} times`),
      trained > 0 && ends.length > 0 && !isEnded && finding("no-end", `none is ${ends.join(" or ")}`),
      countOf(unknown) > 0 && finding("unknown-token", `${countOf(unknown)} unknown tokens`, "warning"),
    ]
    return { tokens: ids.length, trained, findings: [...findings.filter((found) => found !== false), ...texts] }
  }
}

const finding = (kind: LintKind, detail: string, level: LintFinding["level"] = "error"): LintFinding => ({
  kind,
  level,
  detail,
})

/** Lays an example out as tokens with labels. */
const tokensOf =
  (tokenizer: Tokenizer, endTokenIds: readonly number[]) =>
  (example: InstructionExample): LabelledTokens | InvalidPrompt => {
    if (example.kind === "segments") {
      const encode = (text: string) => tokenizer.encode(text, { specialTokens: false }).ids
      const { ids, trained } = segmentTokens(example.segments, encode)
      return { ids, labels: trained }
    }
    const chatTemplate = chatTemplateOf(tokenizer)
    const laidOut = { tokenizer, endTokenIds, maxLength: Number.MAX_SAFE_INTEGER }
    try {
      return conversationTokens(chatTemplate === undefined ? laidOut : { ...laidOut, chatTemplate }, example.messages)
    } catch (cause) {
      if (cause instanceof InvalidPrompt) return cause
      throw cause
    }
  }

/** What is wrong with a row's texts themselves. */
const textFindings = (example: InstructionExample, tokenizer: Tokenizer): readonly LintFinding[] => {
  const texts =
    example.kind === "segments"
      ? example.segments.map(({ text }) => text)
      : example.messages.map(({ content }) => content)
  const empty = texts.indexOf("")
  const foreign = new Set(
    texts.flatMap((text) => text.match(markers) ?? []).filter((marker) => tokenizer.tokenId(marker) === undefined),
  )
  return [
    ...(empty < 0 ? [] : [finding("empty-segment", `number ${empty + 1} of ${texts.length}`)]),
    ...(foreign.size === 0 ? [] : [finding("foreign-token", [...foreign].slice(0, 4).join(" "))]),
  ]
}
