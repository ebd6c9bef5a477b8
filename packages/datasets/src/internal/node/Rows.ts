import { basename, dirname, join } from "node:path"
import { parseBeir } from "../../Beir.ts"
import { dprRows } from "../../Dpr.ts"
import { parseDprCorpus, parseDprQa } from "../../DprTsv.ts"
import { UnknownFormatError } from "../../Errors.ts"
import { type Format, formats } from "../../Format.ts"
import { corpusRows, exampleRows } from "../../JsonLines.ts"
import type { ExampleRow, PassageRow } from "../../Source.ts"
import { parseSquad, parseSquadPassages } from "../../Squad.ts"
import { existing, isFolder, list, open, type Recognised, recognise } from "./Recognise.ts"

/** Rows of examples, and the path of the corpus that comes with them. */
export interface Rows {
  readonly examples: AsyncIterable<ExampleRow>
  readonly corpus?: string
}

/** The examples of a file that was looked at. */
export const examplesOf = async (
  { source, found, rows }: Recognised,
  path: string,
  split: string | undefined,
  signal: AbortSignal,
): Promise<Rows> => {
  switch (found) {
    case "squad":
      // All paragraphs belong to what is searched, also those without a question.
      return { examples: parseSquad(source), corpus: path }
    case "dpr":
      return { examples: dprRows(rows(), source.file) }
    case "dpr-qa":
      return { examples: parseDprQa(source) }
    case "jsonl":
      return { examples: exampleRows(rows(), source.file) }
    case "beir": {
      const folder = (await isFolder(path)) ? path : dirname(dirname(path))
      const queries = await existing(folder, "queries.jsonl")
      const judgements = folder === path ? await judgementsOf(folder, split) : path
      return {
        examples: parseBeir(open(queries, signal), open(judgements, signal)),
        corpus: await existing(folder, "corpus.jsonl"),
      }
    }
    case "chat":
    case "segments":
      throw new UnknownFormatError({
        message: `${path} holds instructions for a generator and no questions with passages`,
        file: path,
        expected: formats.join(", "),
        found,
      })
    case "corpus":
    case "dpr-corpus":
      throw new UnknownFormatError({
        message: `${path} holds passages and no questions`,
        file: path,
        expected: "examples",
        found: `a corpus (${found})`,
        hint: "name it as the corpus (`corpus`)",
      })
  }
}

/** The passages of a file or folder. */
export async function* passageRows(path: string, signal?: AbortSignal, format?: Format): AsyncGenerator<PassageRow> {
  if (await isFolder(path)) return yield* passageRows(await existing(path, "corpus.jsonl"), signal)
  const { source, found, rows } = await recognise(path, format, signal)
  switch (found) {
    case "corpus":
      return yield* corpusRows(rows(), source.file)
    case "dpr-corpus":
      return yield* parseDprCorpus(source)
    case "squad":
      return yield* parseSquadPassages(source)
    case "dpr":
    case "jsonl": {
      const examples = (found === "jsonl" ? exampleRows : dprRows)(rows(), source.file)
      for await (const { passages, file, line } of examples)
        for (const passage of passages) yield { passage, file, line }
      return
    }
    case "beir":
    case "dpr-qa":
    case "chat":
    case "segments":
      throw new UnknownFormatError({
        message: `${path} holds no passages`,
        file: path,
        expected: "a corpus",
        found,
      })
  }
}

const judgementsOf = async (folder: string, split: string | undefined): Promise<string> => {
  const inner = join(folder, "qrels")
  if (split !== undefined) return existing(inner, `${split}.tsv`)
  const names = (await list(inner)).filter((name) => /\.tsv(\.gz)?$/.test(name))
  const train = names.find((name) => name.startsWith("train.tsv"))
  const only = train ?? (names.length === 1 ? names[0] : undefined)
  if (only !== undefined) return join(inner, only)
  throw new UnknownFormatError({
    message: `${inner} does not say which judgements to use`,
    file: inner,
    expected: "train.tsv, or a single file",
    found: names.join(", ") || "nothing",
    hint: `name one of the files instead of the folder ${basename(folder)}`,
  })
}
