import type { WrittenQuestion } from "@tandem/datagen"
import type { Example, Passage } from "@tandem/datasets"
import type { Chunk } from "@tandem/documents"
import { Random } from "@tandem/random"
import { Bm25 } from "@tandem/store"
import { differentChunks } from "./DifferentChunks.ts"
import { type AskedChunk, askChunk, comparable, sentencesOf, type WeakWords } from "./WeakQuestions.ts"

/** What a retriever is tuned on and measured by. */
export interface TuneData {
  readonly train: readonly Example[]
  /** Questions of documents that no question of `train` is about. */
  readonly dev: readonly Example[]
  /** Passages without the words that became questions. */
  readonly corpus: readonly Passage[]
  readonly groups: { readonly train: number; readonly dev: number }
}

export interface TuneDataOptions {
  readonly seed: number
  /** Share of the documents that are held out. */
  readonly heldOut: number
  readonly perChunk: number
  /** Questions that a model wrote, by the ids of chunks, in place of headings and sentences; nothing is taken out then. */
  readonly questions?: ReadonlyMap<string, readonly WrittenQuestion[]>
}

/** Fewer documents are divided into runs of so many chunks, each of which counts as one. */
const fewDocuments = 8
const chunksTogether = 6
/** More questions make the intervals little narrower, and measuring slower. */
const mostHeldOut = 1000

/**
 * Questions of chunks, those of some documents held out, with a hard negative that BM25 finds and one of the same document.
 * Chunks that say nearly the same count once, as do questions; one that several documents have is none. No held-out passage is a
 * negative; nor is one that holds the question, or stands under the heading that it is.
 */
export const tuneData = (
  chunks: readonly Chunk[],
  { seed, heldOut, perChunk, questions }: TuneDataOptions,
): TuneData => {
  const random = Random.fromSeed(seed)
  const different = withoutSiteName(differentChunks(chunks))
  const headings = countOf(different.flatMap(({ heading }) => (heading === undefined ? [] : [heading])))
  const sentences = countOf(different.flatMap(({ text }) => sentencesOf(text).map(comparable)))
  const options = {
    perChunk,
    isUsual: ({ kind, words }: WeakWords) =>
      kind === "heading" ? (headings.get(words) ?? 0) > 2 : (sentences.get(comparable(words)) ?? 0) > 1,
  }
  const asked = different.map((chunk): AskedChunk => {
    if (questions === undefined) return askChunk(chunk, { ...options, random: random.derive(chunk.id) })
    const written = (questions.get(chunk.id) ?? []).slice(0, perChunk)
    return {
      chunk,
      text: chunk.text,
      questions: written.map(({ question, answer }) => ({
        query: question,
        kind: "model",
        ...(answer === undefined ? {} : { answer }),
      })),
    }
  })

  const groupOf = grouped(different)
  const sizes = countOf(different.map(groupOf))
  const held = heldOutOf(random.derive("held out").shuffle([...sizes]), heldOut * different.length)
  const corpus = asked.map(passageOf)
  const examples = onceEach(asked, groupOf)
  const examplesOf = (isHeld: boolean): readonly Example[] =>
    examples.filter(({ group }) => held.has(group) === isHeld).map(({ example }) => example)
  const seen = asked.filter(({ chunk }) => !held.has(groupOf(chunk)))
  const train = withNegatives(examplesOf(false), seen, random.derive("negatives"))
  const dev = random.derive("measured").sample(examplesOf(true), mostHeldOut)
  return { train, dev, corpus, groups: { train: sizes.size - held.size, dev: held.size } }
}

interface GroupedExample {
  readonly group: string
  readonly example: Example
}

/**
 * Questions in the order of their passages, each once: one that several passages of a group have is found by any of them, and
 * one that several groups have tells none from the others and is left out.
 */
const onceEach = (asked: readonly AskedChunk[], groupOf: (chunk: Chunk) => string): readonly GroupedExample[] => {
  const known = new Map<string, GroupedExample | "of several groups">()
  for (const { chunk, questions } of asked) {
    const group = groupOf(chunk)
    for (const [index, { query, kind, answer }] of questions.entries()) {
      const words = comparable(query)
      const before = known.get(words)
      const answers = answer === undefined ? [] : [answer]
      if (before === undefined) {
        const id = `${chunk.id}-q${index}`
        const example = { id, query, positives: [chunk.id], negatives: [], answers, metadata: { kind } }
        known.set(words, { group, example })
      } else if (before === "of several groups" || before.group !== group) known.set(words, "of several groups")
      else {
        const { example } = before
        const positives = [...new Set([...example.positives, chunk.id])]
        const all = [...new Set([...example.answers, ...answers])]
        known.set(words, { group, example: { ...example, positives, answers: all } })
      }
    }
  }
  return [...known.values()].filter((one) => one !== "of several groups")
}

/** Groups, one at least, that hold about so many chunks; those that would hold far more are passed over. */
const heldOutOf = (groups: readonly (readonly [name: string, size: number])[], wanted: number): ReadonlySet<string> => {
  const held = new Set<string>()
  let chunks = 0
  for (const [name, size] of groups) {
    if (chunks >= wanted) break
    if (chunks + size > 1.3 * wanted) continue
    held.add(name)
    chunks += size
  }
  const [smallest] = groups.toSorted(([, a], [, b]) => a - b)
  return held.size > 0 || smallest === undefined ? held : new Set([smallest[0]])
}

const passageOf = ({ chunk, text }: AskedChunk): Passage => ({
  id: chunk.id,
  text,
  metadata: { document: chunk.source },
})

/** The document of a chunk, or the part of one where there are few. */
const grouped = (chunks: readonly Chunk[]): ((chunk: Chunk) => string) => {
  const documents = new Set(chunks.map(({ source }) => source)).size
  return documents >= fewDocuments
    ? ({ source }) => source
    : ({ source, index }) => `${source}\u0000${Math.floor(index / chunksTogether)}`
}

const searchDepth = 10

const withNegatives = (
  examples: readonly Example[],
  asked: readonly AskedChunk[],
  random: Random,
): readonly Example[] => {
  const index = Bm25.make(asked.map(passageOf))
  const passages = new Map(asked.map(({ chunk, text }) => [chunk.id, { chunk, text: comparable(text) }]))
  const byDocument = Map.groupBy(passages.keys(), (id) => passages.get(id)?.chunk.source)
  return examples.map((example) => {
    const right = new Set(example.positives)
    const own = passages.get(example.positives[0] ?? "")?.chunk
    const query = comparable(example.query)
    const isNegative = (id: string): boolean => {
      const other = passages.get(id)
      if (other === undefined || right.has(id) || other.text.includes(query)) return false
      const { source, heading } = other.chunk
      return example.metadata?.["kind"] !== "heading" || source !== own?.source || heading !== own.heading
    }
    const found = index.search(example.query, searchDepth).find(({ id }) => isNegative(id))
    const near = random.derive(example.id).shuffle((byDocument.get(own?.source) ?? []).filter(isNegative))
    const negatives = new Set([...(found === undefined ? [] : [found.id]), ...near.slice(0, 1)])
    return { ...example, negatives: [...negatives] }
  })
}

/** Chunks whose titles are without what most titles end in: the name of a site or of a manual. */
const withoutSiteName = (chunks: readonly Chunk[]): readonly Chunk[] => {
  const titles = new Set(chunks.flatMap(({ title }) => (title === undefined ? [] : [title])))
  const names = countOf([...titles].map(siteNameOf))
  return chunks.map((chunk) => {
    const name = siteNameOf(chunk.title ?? "")
    if (chunk.title === undefined || name === "" || (names.get(name) ?? 0) <= titles.size / 2) return chunk
    return { ...chunk, title: chunk.title.slice(0, -name.length) }
  })
}

const siteNameOf = (title: string): string => / [-–—|·] [^-–—|·]+$/.exec(title)?.[0] ?? ""

const countOf = (texts: readonly string[]): ReadonlyMap<string, number> => {
  const counts = new Map<string, number>()
  for (const text of texts) counts.set(text, (counts.get(text) ?? 0) + 1)
  return counts
}
