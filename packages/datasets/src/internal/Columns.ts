import { InvalidRowError } from "../Errors.ts"
import type { Place, Remark } from "../Source.ts"
import { nearestName } from "./NearestName.ts"

/** A row under the names of Tandem's own fields, and what was noticed on the way. */
export interface NamedRow {
  readonly row: unknown
  /** Whether strings among the positives and negatives are texts and no ids. */
  readonly texts: boolean
  readonly remarks: readonly Remark[]
}

/** The names that other tools give to a field, ours first; of several that a row has, the first counts. */
const synonyms = {
  id: ["id", "query_id", "qid", "_id"],
  query: ["query", "question", "anchor", "sentence1"],
  positives: [
    ...["positives", "positive", "pos", "positive_passages", "passage", "context", "sentence2"],
    ...["answer"],
  ],
  negatives: ["negatives", "negative", "neg", "negative_passages", "hard_negatives"],
} as const

/** Fields of our own that have one name. */
const single = ["response", "answers", "weight", "group", "relevance", "metadata"]

/** Names that a slip is compared with, by the field that they stand for. */
const guessed: readonly (readonly [field: string, names: readonly string[]])[] = [
  ["query", synonyms.query],
  ["positives", ["positives", "positive"]],
  ["negatives", ["negatives", "negative"]],
  ...["response", "answers", "weight", "relevance"].map((name): [string, string[]] => [name, [name]]),
]

/** `negative_1`, `negative_2`, … as sentence-transformers' mining writes them. */
const numbered = /^(?:hard_)?negative_?(\d+)$/

type Fields = Readonly<Record<string, unknown>>

const isFields = (value: unknown): value is Fields =>
  typeof value === "object" && value !== null && !Array.isArray(value)

/**
 * A row of an everyday table under the names of our own fields: sentence-transformers' `anchor, positive, negative` (and
 * `query`, `question`, `sentence1`, `negative_1`, …), FlagEmbedding's `query, pos, neg`, Tevatron's `positive_passages`,
 * and SQuAD's `question, context, answers` as a table. Fields of other names stay as they are.
 *
 * Throws `InvalidRowError` where a label or score says that pairs are more or less similar, which is no judgement.
 */
export const ownColumns = (value: unknown, place: Place): NamedRow => {
  if (!isFields(value)) return { row: value, texts: false, remarks: [] }
  const present = (name: string): boolean => value[name] !== undefined && value[name] !== null
  const nameOf = (field: keyof typeof synonyms): string | undefined => synonyms[field].find(present)
  const [id, query, positives] = [nameOf("id"), nameOf("query"), nameOf("positives")]
  const list = nameOf("negatives")
  const further = Object.keys(value)
    .filter((name) => numbered.test(name) && present(name))
    .sort((a, b) => Number(numbered.exec(a)![1]) - Number(numbered.exec(b)![1]))
  const negatives = list === undefined ? further : [list, ...further]
  const texts = positives !== "positives" && list !== "negatives"
  const isSquad = positives === "context"
  const used = new Set([id, query, positives, ...negatives, ...(isSquad ? ["title", "is_impossible"] : [])])
  const rest = Object.fromEntries(Object.entries(value).filter(([name]) => !used.has(name)))
  const label = texts && negatives.length === 0 ? labelOf(value, positives, place) : 1
  const unanswerable = isSquad && value["is_impossible"] === true
  const isNone = label === 0 || unanswerable
  const title = isSquad && typeof value["title"] === "string" && value["title"] !== "" ? value["title"] : undefined
  const answering = references(positives === undefined ? undefined : value[positives], title)
  const answers = answersOf(positives === "answer" ? value["answers"] : (value["answers"] ?? value["answer"]), place)
  const row = {
    ...rest,
    ...(id === undefined ? {} : { id: value[id] }),
    ...(query === undefined ? {} : { query: value[query] }),
    positives: isNone ? [] : answering,
    negatives: [
      ...(label === 0 && Array.isArray(answering) ? answering : []),
      ...negatives.flatMap((name) => references(value[name], undefined)),
    ],
    ...(isNone ? { answers: [] } : answers === undefined ? {} : { answers }),
    ...(title === undefined || "group" in value ? {} : { group: title }),
  }
  const slips = Object.keys(rest).flatMap((name): Remark[] => {
    if (single.includes(name)) return []
    const field = guessed.find(([own, names]) => !isKnown(own, row) && nearestName(name, names) !== undefined)
    return field === undefined ? [] : [{ kind: "unknown-field", subject: `${name} → ${nearestName(name, field[1])}?` }]
  })
  return {
    row,
    texts,
    remarks: [
      ...slips,
      ...(unanswerable ? [{ kind: "unanswerable" as const, subject: String(value["id"] ?? "") }] : []),
    ],
  }
}

/** Whether a row says something under one of our own names. */
const isKnown = (field: string, row: Fields): boolean => {
  const value = row[field]
  return value !== undefined && !(Array.isArray(value) && value.length === 0)
}

/** Whether a pair is one: 1 where nothing else is said. */
const labelOf = (value: Fields, positives: string | undefined, place: Place): 0 | 1 => {
  const field = value["label"] !== undefined ? "label" : positives === "sentence2" ? "score" : undefined
  const label = field === undefined ? undefined : value[field]
  if (field === undefined || label === undefined || label === null || positives === undefined) return 1
  if (label === 0 || label === 1) return label
  const found = JSON.stringify(label) ?? "nothing"
  throw new InvalidRowError({
    message: `${place.file}:${place.line}, field ${field}: expected 0 or 1, found ${found.slice(0, 60)}`,
    ...place,
    field,
    expected: "0 (the texts do not belong together) or 1 (they do)",
    found: found.slice(0, 60),
    hint: "graded similarities are no judgements of passages: keep the pairs that belong together, and leave the column out",
  })
}

/** What a column of passages holds, as a list: ids, texts, or objects under our own names. */
const references = (value: unknown, title: string | undefined): readonly unknown[] => {
  if (value === undefined || value === null || value === "") return []
  if (Array.isArray(value)) return value.flatMap((item: unknown) => references(item, title))
  if (typeof value === "string" && title !== undefined) {
    return [{ text: value, title: title.replaceAll("_", " "), metadata: { document: title } }]
  }
  if (!isFields(value)) return [value]
  const { docid, _id, ...rest } = value
  const id = rest["id"] ?? docid ?? _id
  return [id === undefined ? rest : { ...rest, id }]
}

/** Answers as a list, from a list, one string, or SQuAD's `{text: […]}` and `[{text}]`; each trimmed, once, none empty. */
const answersOf = (value: unknown, place: Place): unknown => {
  if (value === undefined || value === null) return undefined
  if (typeof value === "string" && /^\s*[[{(]/.test(value)) {
    throw new InvalidRowError({
      message: `${place.file}:${place.line}, field answers: expected a list, found ${value.slice(0, 60)}`,
      ...place,
      field: "answers",
      expected: "a list of strings, as JSON or as Python prints it",
      found: value.slice(0, 60),
    })
  }
  const inner = isFields(value) && "text" in value ? value["text"] : value
  const items = Array.isArray(inner) ? inner : [inner]
  const strings = items.map((item: unknown) => (isFields(item) && "text" in item ? item["text"] : item))
  return [...new Set(strings.map((item) => (typeof item === "string" ? item.trim() : item)))].filter(
    (item) => item !== "",
  )
}

/** Names of a corpus's fields, ours first. */
const corpusSynonyms = { id: ["id", "_id", "docid", "doc_id", "pid"], text: ["text", "contents", "passage"] } as const

/** A row of a corpus under the names of our own fields; a bare string is its text. */
export const ownCorpusColumns = (value: unknown): NamedRow => {
  if (typeof value === "string") return { row: { text: value }, texts: false, remarks: [] }
  if (!isFields(value)) return { row: value, texts: false, remarks: [] }
  const present = (name: string): boolean => value[name] !== undefined && value[name] !== null
  const [id, text] = [corpusSynonyms.id.find(present), corpusSynonyms.text.find((name) => value[name] !== undefined)]
  const rest = Object.fromEntries(Object.entries(value).filter(([name]) => name !== id && name !== text))
  const names = ["title", ...(text === undefined ? ["text"] : [])]
  const remarks = Object.keys(rest).flatMap((name): Remark[] => {
    const near = names.includes(name) ? undefined : nearestName(name, names)
    return near === undefined || near in value ? [] : [{ kind: "unknown-field", subject: `${name} → ${near}?` }]
  })
  return {
    row: {
      ...rest,
      ...(id === undefined ? {} : { id: value[id] }),
      ...(text === undefined ? {} : { text: value[text] }),
    },
    texts: false,
    remarks,
  }
}

/** The first of some columns' names that is probably a slip of one that a layout is known by, with that one. */
export const slipAmong = (names: Iterable<string>): string | undefined => {
  const known = [
    ...synonyms.query,
    ...synonyms.positives,
    ...synonyms.negatives,
    "text",
    "contents",
    "messages",
    "segments",
  ]
  for (const name of names) {
    const near = known.includes(name) ? undefined : nearestName(name, known)
    if (near !== undefined) return `${name} → ${near}?`
  }
  return undefined
}

/** Whether columns of these names make examples, a corpus, or instructions. */
export const layoutOf = (
  names: ReadonlySet<string>,
): "squad" | "dpr" | "jsonl" | "corpus" | "chat" | "segments" | undefined => {
  const has = (candidates: readonly string[]): boolean => candidates.some((name) => names.has(name))
  if (!names.has("query")) {
    if (names.has("messages")) return "chat"
    if (names.has("segments")) return "segments"
  }
  if (names.has("data") && !names.has("query")) return "squad"
  const paired = has(synonyms.positives) || has(synonyms.negatives) || [...names].some((name) => numbered.test(name))
  if (names.has("question") && !paired) return "dpr"
  if (names.has("query") || (has(synonyms.query) && paired)) return "jsonl"
  if (has(["text", "contents"]) || (names.has("passage") && has(corpusSynonyms.id))) return "corpus"
  return undefined
}
