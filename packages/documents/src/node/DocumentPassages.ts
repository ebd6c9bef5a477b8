import type { Passage } from "@tandem/datasets"
import { Effect, Stream } from "effect"
import { approximateTokens } from "../ApproximateTokens.ts"
import { chunkPassage } from "../Chunk.ts"
import { type ChunkOptions, makeChunker } from "../ChunkDocument.ts"
import { type DocumentProblem, isProblem } from "../DocumentProblem.ts"
import { NoDocumentsError } from "../Errors.ts"
import { type ReadDocumentsOptions, readDocuments } from "./ReadDocuments.ts"

/** A folder of documents as passages. */
export interface DocumentPassages {
  /** By their ids, in the order of the documents. */
  readonly passages: ReadonlyMap<string, Passage>
  readonly documents: number
  readonly problems: readonly DocumentProblem[]
}

/** Tokens of a passage where nobody says, by {@link approximateTokens}: what retrievers read without cutting. */
export const passageTokens = 200

/**
 * The passages of a folder of documents, to search or to train with: their ids stay while their text stays, and their
 * `metadata.document` is the source. Without options they have at most {@link passageTokens}, so that they are the same for
 * every model.
 *
 * Ends in `NoDocumentsError` where no document can be read.
 */
export const documentPassages = Effect.fn("documents.documentPassages")(function* (
  folder: string,
  options: ReadDocumentsOptions & { readonly chunks?: ChunkOptions } = {},
) {
  const chunk = makeChunker(options.chunks ?? { maxTokens: passageTokens, countTokens: approximateTokens })
  const passages = new Map<string, Passage>()
  const problems: DocumentProblem[] = []
  let documents = 0
  yield* Stream.runForEach(readDocuments(folder, options), (item) =>
    Effect.sync(() => {
      if (isProblem(item)) return void problems.push(item)
      documents++
      for (const each of chunk(item)) passages.set(each.id, chunkPassage(each))
    }),
  )
  if (passages.size === 0) return yield* noDocuments(folder, problems)
  return { passages, documents, problems } satisfies DocumentPassages
})

/** The error of a folder of which nothing could be read. */
export const noDocuments = (folder: string, problems: readonly DocumentProblem[]): NoDocumentsError => {
  const [first] = problems
  return new NoDocumentsError({
    message: `${folder} holds no documents that can be read`,
    file: folder,
    expected: "files that end in .txt, .md, .html, .pdf, .docx, .epub or .jsonl",
    found: first === undefined ? "none" : `${problems.length} that were skipped; the first: ${first.message}`,
  })
}

/** What there is to say about files that were skipped: a line for each reason. */
export const problemWarnings = (problems: readonly DocumentProblem[]): readonly string[] => {
  const byReason = new Map<string, DocumentProblem[]>()
  for (const problem of problems) byReason.set(problem.reason, [...(byReason.get(problem.reason) ?? []), problem])
  return [...byReason].map(([reason, [first, ...others]]) => {
    const what = reason === "bad-line" ? "lines" : "documents"
    return others.length === 0
      ? `a document was left out: ${first!.message}`
      : `${others.length + 1} ${what} were left out (${reason}), the first: ${first!.message}`
  })
}
