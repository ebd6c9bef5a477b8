import { passageIdOf } from "./ContentHash.ts"
import type { DataWarning } from "./DataWarning.ts"
import { DuplicatePassageError, NoExamplesError, UnknownPassageError } from "./Errors.ts"
import type { Example, RetrievalData } from "./Example.ts"
import { freeIds } from "./internal/FreeIds.ts"
import { Remarks } from "./internal/Remarks.ts"
import { containsWords, wordsOf } from "./internal/Words.ts"
import { type Passage, readablePassage } from "./Passage.ts"
import type { ExampleRow, PassageRow, Place } from "./Source.ts"
import { isSpaceless } from "./SpacelessScripts.ts"

export interface AssembleOptions {
  /** Whether rows without a positive are dropped (default) or kept, for data where only answers are known. */
  readonly requirePositives?: boolean
  /**
   * Whether the rows are for evaluation (default false): one without a positive is kept where it has an answer, which can be
   * looked for in what was found, and one whose positives are all judged and missing from the corpus is kept, because a
   * search cannot find them, and that counts.
   */
  readonly evaluation?: boolean
}

interface Entry {
  readonly example: Example
  readonly place: Place
  readonly judged: boolean
}

/**
 * Collects rows and passages into {@link RetrievalData}: `addPassage` and `addExample` in any order (texts that may be ids
 * need the corpus first), then `finish`.
 *
 * Passages of the rows join the corpus. The same id with the same text is one passage; with another text it throws
 * `DuplicatePassageError`. A passage of a title alone has it as its text; one without either is left out, and so are
 * judgements about passages that are missing: that is counted, and told in `warnings`. Strings among own examples'
 * positives that no corpus was read for are passages where they have several words. Negatives that are also positives are
 * left out. An example id that is taken gets a `#2`, `#3`.
 */
export class RetrievalDataBuilder {
  readonly #requirePositives: boolean
  readonly #evaluation: boolean
  readonly #corpus = new Map<string, Passage>()
  readonly #entries: Entry[] = []
  readonly #freeId = freeIds()
  readonly #files = new Set<string>()
  readonly #empty = new Set<string>()
  readonly #remarks = new Remarks()
  #hasCorpus = false
  #rows = 0
  #answered = 0

  constructor({ requirePositives = true, evaluation = false }: AssembleOptions = {}) {
    this.#requirePositives = requirePositives
    this.#evaluation = evaluation
  }

  /** The passages so far. */
  get corpus(): ReadonlyMap<string, Passage> {
    return this.#corpus
  }

  addPassage(row: PassageRow): void {
    this.#hasCorpus = true
    for (const remark of row.remarks ?? []) this.#remarks.add(remark)
    this.#add(row.passage, row)
  }

  addExample({ example, passages, file, line, texts, judged = false, remarks = [] }: ExampleRow): void {
    this.#rows++
    this.#files.add(file)
    for (const remark of remarks) this.#remarks.add(remark)
    if (isAnswered(example)) this.#answered++
    if (example.positives.length === 0 && !this.#isKept(example)) return
    const named = new Map<string, string>()
    for (const [id, text] of this.#hasCorpus ? (texts ?? []) : []) {
      if (this.#corpus.has(text)) named.set(id, text)
      else if (!isText(text)) throw unknownPassage(text, "positives", this.#corpus.size, { file, line })
    }
    for (const passage of passages) if (!named.has(passage.id)) this.#add(passage, { file, line })
    const resolve = (ids: readonly string[]): string[] => [...new Set(ids.map((id) => named.get(id) ?? id))]
    const positives = resolve(example.positives)
    const negatives = resolve(example.negatives).filter((id) => !positives.includes(id))
    this.#entries.push({
      example: { ...example, id: this.#freeId(example.id), positives, negatives },
      place: { file, line },
      judged,
    })
  }

  /** Throws `NoExamplesError` where no row is left and `UnknownPassageError` where an id stands for no passage. */
  finish(): RetrievalData {
    const found = this.#entries.map((entry) => this.#found(entry))
    const examples = found.filter((example) => this.#isKept(example))
    if (this.#entries.every(({ judged }) => judged)) this.#refuseOtherCorpus(found)
    if (examples.length === 0) throw this.#noExamples()
    let answersNotInPositives = 0
    let withNegatives = 0
    for (const example of examples) {
      if (example.negatives.length > 0) withNegatives++
      if (example.answers.length > 0 && example.positives.length > 0 && !this.#hasAnswer(example))
        answersNotInPositives++
    }
    return {
      examples,
      corpus: this.#corpus,
      statistics: {
        rows: this.#rows,
        examples: examples.length,
        droppedWithoutPositive: this.#rows - examples.length,
        passages: this.#corpus.size,
        answersNotInPositives,
        withNegatives,
      },
      warnings: this.warnings,
    }
  }

  /** What was left out so far, or taken otherwise than it stands. */
  get warnings(): readonly DataWarning[] {
    return this.#remarks.warnings()
  }

  #add(passage: Passage, { file, line }: Place): void {
    const readable = readablePassage(passage)
    if (readable === undefined) {
      if (!this.#empty.has(passage.id)) this.#remarks.add({ kind: "empty-passage", subject: passage.id })
      this.#empty.add(passage.id)
      return
    }
    const known = this.#corpus.get(passage.id)
    if (known === undefined) {
      if (readable !== passage) this.#remarks.add({ kind: "title-alone", subject: passage.id })
      this.#corpus.set(passage.id, readable)
    } else if (known.text !== readable.text && wordsOf(known.text) !== wordsOf(readable.text)) {
      throw new DuplicatePassageError({
        message: `${file}:${line} gives passage ${passage.id} another text than it had before`,
        file,
        line,
        field: "id",
        expected: known.text.slice(0, 60),
        found: readable.text.slice(0, 60),
        hint: "give every passage an id of its own",
      })
    }
  }

  /** An example with those of its passages that there are. */
  #found({ example, place, judged }: Entry): Example {
    const missing: string[] = []
    const resolve = (field: "positives" | "negatives"): string[] =>
      example[field].flatMap((id) => {
        if (this.#corpus.has(id)) return [id]
        if (this.#empty.has(id) || judged) {
          if (!this.#empty.has(id)) this.#remarks.add({ kind: "missing-passage", subject: id })
          if (field === "positives") missing.push(id)
          return []
        }
        if (this.#hasCorpus || !isText(id)) throw unknownPassage(id, field, this.#corpus.size, place)
        const passage = { id: passageIdOf(id), text: id }
        this.#corpus.set(passage.id, passage)
        return [passage.id]
      })
    const [positives, negatives] = [resolve("positives"), resolve("negatives")]
    if (missing.length === 0) return { ...example, positives, negatives }
    const relevance = example.relevance ?? Object.fromEntries(example.positives.map((id) => [id, 1]))
    return { ...example, positives, negatives, relevance }
  }

  /** Judgements none of whose passages is there belong to another corpus. */
  #refuseOtherCorpus(found: readonly Example[]): void {
    const at = this.#entries.findIndex(({ example }) => example.positives.some((id) => !this.#empty.has(id)))
    if (at < 0 || found.some(({ positives }) => positives.length > 0)) return
    const { example, place } = this.#entries[at]!
    throw unknownPassage(example.positives[0]!, "positives", this.#corpus.size, place)
  }

  #isKept(example: Example): boolean {
    const { positives, relevance = {} } = example
    if (!this.#requirePositives || positives.length > 0) return true
    return this.#evaluation && (isAnswered(example) || Object.values(relevance).some((grade) => grade > 0))
  }

  #noExamples(): NoExamplesError {
    const files = [...this.#files].join(", ")
    const slip = this.#remarks.first("unknown-field")
    const wanted = this.#evaluation ? "a positive passage or an answer" : "a positive passage"
    const hint =
      slip !== undefined
        ? `a field may be misspelt: ${slip}`
        : this.#answered > 0
          ? `${this.#answered} of them have answers, which serve an evaluation alone`
          : undefined
    return new NoExamplesError({
      message: `${files === "" ? "the data" : files}: none of ${this.#rows} rows has ${wanted}`,
      ...(files === "" ? {} : { file: files }),
      field: "positives",
      expected: `at least one row with ${wanted}`,
      found: `${this.#rows} rows without`,
      ...(hint === undefined ? {} : { hint }),
    })
  }

  #hasAnswer({ answers, positives }: Example): boolean {
    return positives.some((id) => {
      const passage = this.#corpus.get(id)
      if (passage === undefined) return false
      if (answers.some((answer) => answer !== "" && passage.text.includes(answer))) return true
      const words = wordsOf(passage.text)
      return answers.some((answer) => containsWords(words, wordsOf(answer)))
    })
  }
}

const isAnswered = ({ answers }: Example): boolean => answers.some((answer) => answer.trim() !== "")

/** Whether a string that may be an id or a passage is a passage: it has several words, or a script without spaces. */
const isText = (string: string): boolean => /\S\s+\S/.test(string) || isSpaceless(string)

const unknownPassage = (id: string, field: string, passages: number, { file, line }: Place): UnknownPassageError =>
  new UnknownPassageError({
    message: `${file}:${line}, field ${field}: the corpus has no passage ${id.slice(0, 60)}`,
    file,
    line,
    field,
    expected: `one of the ${passages} passages`,
    found: id.slice(0, 60),
    hint: "name the corpus file that belongs to these examples (`corpus`)",
  })
