import { readFileSync } from "node:fs"
import { join } from "node:path"
import { bucketLengths } from "@tandem/collators"
import { parseSquad, sourceOf } from "@tandem/datasets"
import { makeTokenizer, type Tokenizer } from "@tandem/models"
import { scrambledLcg32, uniforms } from "@tandem/random"

export interface ShapeSettings {
  readonly batch: number
  readonly k: number
  readonly tokens: number
  /** Texts that are tokenized; batches are drawn from their lengths. */
  readonly sample: number
  readonly queryMultiple: number
  readonly tokenMultiple: number
  readonly packedMultiple: number
  readonly logitMultiple: number
}

export interface ShapeFigures {
  readonly steps: number
  /** Sets of shapes that occur in one epoch, each a compiled session. */
  readonly shapes: number
  /** Sessions that are compiled when at most `alive` are kept, the one that was used longest ago going first. */
  readonly compiled: Readonly<Record<string, number>>
  /** Share of the tokens of all rows that are real. */
  readonly realShare: number
}

const prompt = (query: string, passage: string): string =>
  `You are a helpful assistant. Given the user query below, provide a response making use of the provided background context.\n\n<query>\n${query}\n</query>\n\n<context>\n${passage}\n</context>\n\n<response>\n`

const tokenizerOf = (folder: string): Tokenizer => {
  const json = (name: string) => JSON.parse(readFileSync(join(folder, name), "utf8"))
  return makeTokenizer({ tokenizer: json("tokenizer.json"), config: json("tokenizer_config.json") })
}

/** The shapes that one epoch of joint training over SQuAD meets, each query with k paragraphs. */
export const jointShapes = async (
  squad: string,
  models: { readonly query: string; readonly generator: string },
  settings: ShapeSettings,
): Promise<ShapeFigures> => {
  const { batch, k, tokens, sample } = settings
  const rows: { readonly query: string; readonly passage: string; readonly answer: string }[] = []
  const source = sourceOf(readFileSync(squad, "utf8"), "train.json")
  for await (const { example, passages } of parseSquad(source)) {
    rows.push({ query: example.query, passage: passages[0]?.text ?? "", answer: example.answers[0] ?? "" })
  }
  const uniform = uniforms(scrambledLcg32(1))
  const draw = <A>(from: readonly A[]): A => from[Math.floor(uniform() * from.length)]!
  const [queries, generator] = [tokenizerOf(models.query), tokenizerOf(models.generator)]
  const lengths = Array.from({ length: sample }, () => {
    const { query, passage, answer } = draw(rows)
    return {
      query: queries.encode(query, { maxLength: tokens }).ids.length,
      prompt: generator.encode(prompt(query, "")).ids.length,
      passage: generator.encode(passage).ids.length,
      answer: generator.encode(answer).ids.length + 1,
    }
  })
  const bucket = bucketLengths({ multiple: settings.tokenMultiple, maximum: tokens })
  const queryBucket = bucketLengths({ multiple: settings.queryMultiple, maximum: tokens })
  const up = (value: number, multiple: number): number => Math.ceil(value / multiple) * multiple
  const steps = Math.ceil(rows.length / batch)
  let real = 0
  let places = 0
  const keys = Array.from({ length: steps }, () => {
    const examples = Array.from({ length: batch }, () => draw(lengths))
    const each = examples.flatMap(({ prompt: own, answer }) =>
      Array.from({ length: k }, () => Math.min(tokens, own + draw(lengths).passage + answer)),
    )
    const width = bucket(Math.max(...each))
    const sum = each.reduce((total, length) => total + length, 0)
    real += sum
    places += width * each.length
    const packed = Math.min(width * each.length, up(sum, settings.packedMultiple))
    const logits = up(
      examples.reduce((total, { answer }) => total + k * answer, 0),
      settings.logitMultiple,
    )
    return [queryBucket(Math.max(...examples.map(({ query }) => query))), width, packed, logits].join()
  })
  const compiled = [4, 8, 16].map((alive) => [String(alive), compilations(keys, alive)] as const)
  return { steps, shapes: new Set(keys).size, compiled: Object.fromEntries(compiled), realShare: real / places }
}

const compilations = (keys: readonly string[], alive: number): number => {
  const sessions = new Set<string>()
  let count = 0
  for (const key of keys) {
    if (!sessions.delete(key)) {
      count++
      if (sessions.size === alive) sessions.delete(sessions.values().next().value ?? "")
    }
    sessions.add(key)
  }
  return count
}
