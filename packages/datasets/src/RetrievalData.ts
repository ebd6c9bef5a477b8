import { DuplicatePassageError, NoExamplesError, UnknownPassageError } from "./Errors.ts"
import type { Example, RetrievalData } from "./Example.ts"
import { containsWords, wordsOf } from "./internal/Words.ts"
import type { Passage } from "./Passage.ts"
import type { ExampleRow, PassageRow, Place } from "./Source.ts"

export type AssembleOptions = {
  /** Whether rows without a positive are dropped (default) or kept, for data where only answers are known. */
  readonly requirePositives?: boolean
}

/**
 * Collects rows and passages into {@link RetrievalData}: `addPassage` and `addExample` in any order, then `finish`.
 *
 * Passages of the rows join the corpus. The same id with the same text is one passage; with another text it throws
 * `DuplicatePassageError`. Negatives that are also positives are left out. An example id that is taken gets a `#2`, `#3`.
 */
export class RetrievalDataBuilder {
  readonly #requirePositives: boolean
  readonly #corpus = new Map<string, Passage>()
  readonly #examples: { readonly example: Example; readonly place: Place }[] = []
  readonly #ids = new Map<string, number>()
  readonly #files = new Set<string>()
  #rows = 0

  constructor({ requirePositives = true }: AssembleOptions = {}) {
    this.#requirePositives = requirePositives
  }

  /** The passages so far. */
  get corpus(): ReadonlyMap<string, Passage> {
    return this.#corpus
  }

  addPassage({ passage, file, line }: PassageRow): void {
    const known = this.#corpus.get(passage.id)
    if (known === undefined) {
      this.#corpus.set(passage.id, passage)
    } else if (known.text !== passage.text && wordsOf(known.text) !== wordsOf(passage.text)) {
      throw new DuplicatePassageError({
        message: `${file}:${line} gives passage ${passage.id} another text than it had before.`,
        file,
        line,
        field: "id",
        expected: known.text.slice(0, 60),
        found: passage.text.slice(0, 60),
        hint: "Give every passage an id of its own.",
      })
    }
  }

  addExample({ example, passages, file, line }: ExampleRow): void {
    this.#rows++
    this.#files.add(file)
    if (this.#requirePositives && example.positives.length === 0) return
    for (const passage of passages) this.addPassage({ passage, file, line })
    const positives = [...new Set(example.positives)]
    const negatives = [...new Set(example.negatives)].filter((id) => !positives.includes(id))
    this.#examples.push({
      example: { ...example, id: this.#freeId(example.id), positives, negatives },
      place: { file, line },
    })
  }

  /** Throws `NoExamplesError` where no row is left and `UnknownPassageError` where an id stands for no passage. */
  finish(): RetrievalData {
    const files = [...this.#files].join(", ")
    if (this.#examples.length === 0) {
      throw new NoExamplesError({
        message: `${files === "" ? "The data" : files}: none of ${this.#rows} rows has a positive passage.`,
        ...(files === "" ? {} : { file: files }),
        field: "positives",
        expected: "at least one row with a positive passage",
        found: `${this.#rows} rows without`,
      })
    }
    let answersNotInPositives = 0
    let withNegatives = 0
    for (const { example, place } of this.#examples) {
      this.#check(example, "positives", place)
      this.#check(example, "negatives", place)
      if (example.negatives.length > 0) withNegatives++
      if (example.answers.length > 0 && example.positives.length > 0 && !this.#hasAnswer(example))
        answersNotInPositives++
    }
    return {
      examples: this.#examples.map(({ example }) => example),
      corpus: this.#corpus,
      statistics: {
        rows: this.#rows,
        examples: this.#examples.length,
        droppedWithoutPositive: this.#rows - this.#examples.length,
        passages: this.#corpus.size,
        answersNotInPositives,
        withNegatives,
      },
    }
  }

  #freeId(id: string): string {
    let count = this.#ids.get(id) ?? 0
    let free: string
    do free = ++count === 1 ? id : `${id}#${count}`
    while (count > 1 && this.#ids.has(free))
    this.#ids.set(id, count)
    if (free !== id) this.#ids.set(free, 1)
    return free
  }

  #check(example: Example, field: "positives" | "negatives", { file, line }: Place): void {
    for (const id of example[field]) {
      if (this.#corpus.has(id)) continue
      throw new UnknownPassageError({
        message: `${file}:${line}, field ${field}: the corpus has no passage ${id}.`,
        file,
        line,
        field,
        expected: `one of the ${this.#corpus.size} passages`,
        found: id,
        hint: "Name the corpus file that belongs to these examples (--corpus).",
      })
    }
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
