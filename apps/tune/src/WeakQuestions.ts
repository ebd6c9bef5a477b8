import { type Chunk, unwrapLines } from "@tandem/documents"
import type { Random } from "@tandem/random"

/** A question that nobody asked: words of a passage that stand for one. */
export interface WeakQuestion {
  readonly query: string
  /** Where the words come from. */
  readonly kind: "heading" | "sentence"
}

/** A passage without the words that became questions, and those questions. */
export interface AskedChunk {
  readonly chunk: Chunk
  /** The chunk's text without its questions. */
  readonly text: string
  readonly questions: readonly WeakQuestion[]
}

export interface WeakQuestionOptions {
  readonly random: Random
  /** Most questions of a chunk. */
  readonly perChunk: number
  /** Headings that several chunks stand under tell none of them from the others. */
  readonly isUsual: (heading: string) => boolean
}

/**
 * Questions of a chunk: its heading, with the document's title before it, and sentences of it, all of which are taken out
 * of the text that has to be found (the inverse cloze task of Lee et al., "Latent Retrieval for Weakly Supervised Open
 * Domain Question Answering", 2019). At least half of the text stays. What looks like code or a list of links is no
 * question.
 */
export const askChunk = (chunk: Chunk, { random, perChunk, isUsual }: WeakQuestionOptions): AskedChunk => {
  const questions: WeakQuestion[] = []
  let text = chunk.text
  const { heading, title } = chunk
  if (heading !== undefined && !isUsual(heading)) {
    const without = withoutText(text, heading)
    if (without !== undefined && without.length >= chunk.text.length / 2) {
      text = without
      const isNamed = title === undefined || heading.toLowerCase().includes(title.toLowerCase())
      questions.push({ query: isNamed ? heading : `${title}: ${heading}`, kind: "heading" })
    }
  }
  for (const sentence of random.shuffle(sentencesOf(text).filter(isQuestion))) {
    if (questions.length >= perChunk) break
    const without = withoutText(text, sentence)
    if (without === undefined || without.length < chunk.text.length / 2) continue
    text = without
    questions.push({ query: sentence.replaceAll(/\s+/g, " "), kind: "sentence" })
  }
  return { chunk, text, questions }
}

/** A text as questions are compared: words alone, in lower case. */
export const comparable = (query: string): string =>
  query
    .toLowerCase()
    .match(/[\p{L}\p{N}]+/gu)
    ?.join(" ") ?? ""

const sentencesOf = (text: string): readonly string[] =>
  text
    .split("\n\n")
    .flatMap((paragraph) => [...segmenter.segment(unwrapLines(paragraph))])
    .map(({ segment }) => segment.trim())

/** Sentences of 20 to 300 characters, three quarters of which are letters, that end as sentences do. */
const isQuestion = (sentence: string): boolean => {
  const letters = sentence.match(/[\p{L}\p{M}\s]/gu)?.length ?? 0
  const isLong = sentence.length >= 20 || /\p{sc=Han}{8}|[\p{sc=Hiragana}\p{sc=Katakana}]{6}/u.test(sentence)
  return (
    isLong && sentence.length <= 300 && letters >= 0.75 * sentence.length && /[.!?。！？।][\s"'”’)]*$/.test(sentence)
  )
}

/** A text without a part of it; line ends inside the part may be spaces. Undefined where it is not there. */
const withoutText = (text: string, part: string): string | undefined => {
  const flat = text.replaceAll("\n", " ")
  const at = flat.indexOf(part.replaceAll("\n", " "))
  if (at < 0) return undefined
  const rest = `${text.slice(0, at).trimEnd()}${at > 0 && text.slice(at - 2, at) === "\n\n" ? "\n\n" : " "}${text.slice(at + part.length).trimStart()}`
  return rest.trim()
}

const segmenter = new Intl.Segmenter("und", { granularity: "sentence" })
