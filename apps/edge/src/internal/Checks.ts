import type { EmbedAs, TokenizedCall } from "@tandem/rag"
import { Refusal } from "../Refusal.ts"
import type { Desk } from "./Desk.ts"

/** Refuses texts that are more, or longer, than a request may bring. `param` is the field that holds them. */
export const checkTexts = ({ limits }: Desk, texts: readonly string[], param: string): void => {
  if (texts.length > limits.items) {
    throw new Refusal(400, `\`${param}\` has ${texts.length} texts: at most ${limits.items}`, {
      code: "array_above_max_length",
      param,
    })
  }
  const long = texts.find(({ length }) => length > limits.characters)
  if (long === undefined) return
  throw new Refusal(400, `\`${param}\` has a text of ${long.length} characters: at most ${limits.characters}`, {
    code: "string_above_max_length",
    param,
  })
}

/** Texts with their tokens, or a refusal where those are more than a request may bring. */
export const tokenized = async (
  { served, limits }: Desk,
  texts: readonly string[],
  { as, param, signal }: { readonly as: EmbedAs; readonly param: string; readonly signal: AbortSignal },
): Promise<{ readonly tokens: number } & TokenizedCall> => {
  const { counts, embed } = await served.tokenize(texts, { as, signal })
  const tokens = counts.reduce((total, count) => total + count, 0)
  if (tokens <= limits.tokens) return { tokens, counts, embed }
  throw new Refusal(400, `\`${param}\` has ${tokens} tokens: at most ${limits.tokens}`, {
    code: "context_length_exceeded",
    param,
  })
}

/** A number of passages as options have it; absent where the run's own counts. */
export const passagesOf = ({ limits }: Desk, k: number | null | undefined): { readonly k?: number } =>
  atMost(k, limits.passages)

/** Refuses questions that ask for more passages, all together, than a request may be given. */
export const checkFound = ({ served, limits }: Desk, questions: number, k = served.facts.k): void => {
  if (questions * k <= limits.found) return
  throw new Refusal(400, `${questions} questions with ${k} passages each: at most ${limits.found} passages together`, {
    code: "invalid_value",
    param: "queries",
  })
}

/** A number of passages that an answer is read from as options have it; absent where the run's own counts. */
export const readOf = ({ served, limits }: Desk, k: number | null | undefined): { readonly k?: number } =>
  atMost(k, Math.max(served.facts.k, Math.min(limits.read, limits.passages)))

const atMost = (k: number | null | undefined, most: number): { readonly k?: number } => {
  if (k === undefined || k === null) return {}
  if (k <= most) return { k }
  throw new Refusal(400, `\`k\` is ${k}: at most ${most}`, { code: "invalid_value", param: "k" })
}

/** The longest answer that a request asks for as options have it: never longer than the run's own. */
export const longestOf = ({ served }: Desk, most: number | null | undefined): { readonly maxTokens?: number } => {
  const own = served.facts.generator?.maxAnswer
  return most === undefined || most === null || (own !== undefined && most >= own) ? {} : { maxTokens: most }
}

/** Refuses what a system without a language model cannot do. */
export const checkAnswers = ({ served }: Desk): void => {
  if (served.facts.generator !== undefined) return
  throw new Refusal(400, "what is served finds passages and writes no answers", { code: "unsupported" })
}

/** Refuses what a system without an encoder cannot do. */
export const checkEmbeds = ({ served }: Desk): void => {
  if (served.facts.encoder !== undefined) return
  throw new Refusal(400, "what is served has no encoder", { code: "unsupported" })
}
