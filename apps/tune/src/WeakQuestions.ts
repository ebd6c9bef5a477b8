import { type Chunk, unwrapLines } from "@tandem/documents"
import type { Random } from "@tandem/random"

/** A question that nobody asked: words of a passage that stand for one. */
export interface WeakQuestion {
  readonly query: string
  /** Where the words come from; a model writes its own. */
  readonly kind: "heading" | "sentence" | "model"
  /** A model may write one; what was taken out of a passage has none. */
  readonly answer?: string
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
  /** Headings that several chunks stand under, and sentences that several hold, tell none of them from the others. */
  readonly isUsual: (words: WeakWords) => boolean
}

/** Words of a chunk that may become a question. */
export interface WeakWords {
  readonly kind: WeakQuestion["kind"]
  readonly words: string
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
  if (heading !== undefined && !isUsual({ kind: "heading", words: heading })) {
    const without = withoutText(text, heading)
    if (without !== undefined && without.length >= chunk.text.length / 2) {
      text = without
      questions.push({ query: titled(heading, title), kind: "heading" })
    }
  }
  const sentences = sentencesOf(text).filter((words) => isQuestion(words) && !isUsual({ kind: "sentence", words }))
  for (const sentence of random.shuffle(sentences)) {
    if (questions.length >= perChunk) break
    const without = withoutText(text, sentence)
    if (without === undefined || without.length < chunk.text.length / 2) continue
    text = without
    questions.push({ query: sentence.replaceAll(/\s+/g, " "), kind: "sentence" })
  }
  return { chunk, text, questions }
}

/** A heading with its document's title before it, where neither says what the other does. */
const titled = (heading: string, title = ""): string => {
  const [inHeading, inTitle] = [comparable(heading), comparable(title)]
  if (inHeading.includes(inTitle)) return heading
  return inTitle.includes(inHeading) ? title : `${title}: ${heading}`
}

/** A text as questions are compared: words alone, in lower case. */
export const comparable = (query: string): string =>
  query
    .toLowerCase()
    .match(/[\p{L}\p{N}]+/gu)
    ?.join(" ") ?? ""

/** The sentences of a text, without the signs that items of lists begin with. */
export const sentencesOf = (text: string): readonly string[] =>
  text
    .split("\n\n")
    .flatMap((paragraph) => [...segmenter.segment(unwrapLines(paragraph))])
    .map(({ segment }) => segment.trim().replace(/^(?:[-*+•]|\d{1,2}[.)])\s+/, ""))

/**
 * Sentences of 20 to 300 characters, three quarters of which are letters, that begin with a letter or a quotation and end as
 * sentences do. Spaces divide them into five words at least, if any; braces and bars are of code and tables.
 */
const isQuestion = (sentence: string): boolean => {
  const letters = sentence.match(/[\p{L}\p{M}\s]/gu)?.length ?? 0
  const isUnspaced = /\p{sc=Han}{8}|[\p{sc=Hiragana}\p{sc=Katakana}]{6}|\p{sc=Thai}{12}/u.test(sentence)
  const words = sentence.match(/(?<=^|\s)["'“‘(]?\p{L}[\p{L}\p{M}'’-]*(?=$|[\s.,;:!?"'”’)])/gu)?.length ?? 0
  return (
    (isUnspaced || (sentence.length >= 20 && words >= 5)) &&
    sentence.length <= 300 &&
    letters >= 0.75 * sentence.length &&
    /^["'“‘«「(¿¡]?[\p{L}\p{N}]/u.test(sentence) &&
    !/[{}|]/.test(sentence) &&
    /[.!?。！？।][\s"'”’)]*$/.test(sentence)
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
