import { InvalidGeneration } from "./Errors.ts"
import type { Decoding, GenerateOptions, OutputFormat } from "./Generator.ts"

/** Options of a generation with nothing left open. */
export interface GenerateSettings {
  readonly decoding: Decoding
  readonly maxTokens: number
  readonly repetitionPenalty: number
  readonly stop: readonly string[]
  readonly format: OutputFormat | undefined
}

type Rule = readonly [field: string, fine: boolean, expected: string, found: unknown]

const isCount = (value: number): boolean => Number.isSafeInteger(value) && value > 0
const count = "a whole number above 0"

/**
 * Options with their defaults: greedy, 64 tokens, no penalty, no stop texts. For local and remote models alike.
 *
 * @throws InvalidGeneration for what none of them can be
 */
export const checkedOptions = (options: GenerateOptions): GenerateSettings => {
  const { decoding = { kind: "greedy" }, maxTokens = 64, repetitionPenalty = 1, stop = [], format } = options
  const rules: readonly Rule[] = [
    ["maxTokens", isCount(maxTokens), count, maxTokens],
    [
      "repetitionPenalty",
      repetitionPenalty > 0 && Number.isFinite(repetitionPenalty),
      "a number above 0",
      repetitionPenalty,
    ],
    ["stop", stop.every((each) => each !== ""), "texts that are not empty", JSON.stringify(stop)],
    ...rulesOf(decoding),
    ["stop", decoding.kind !== "beam" || stop.length === 0, "no stop texts in beam search", JSON.stringify(stop)],
  ]
  const broken = rules.find(([, fine]) => !fine)
  if (broken === undefined) return { decoding, maxTokens, repetitionPenalty, stop, format }
  const [field, , expected, found] = broken
  throw new InvalidGeneration({
    message: `texts cannot be generated with this \`${field}\``,
    field,
    expected,
    found: `${found}`,
  })
}

const rulesOf = (decoding: Decoding): readonly Rule[] => {
  switch (decoding.kind) {
    case "greedy":
      return []
    case "beam": {
      const { beams, lengthPenalty = 1, sequences = 1 } = decoding
      return [
        ["beams", isCount(beams), count, beams],
        ["lengthPenalty", Number.isFinite(lengthPenalty), "a number", lengthPenalty],
        ["sequences", isCount(sequences) && sequences <= beams, `a whole number from 1 to ${beams}`, sequences],
      ]
    }
    case "sample": {
      const { temperature = 1, topK = 1, topP = 1, sequences = 1 } = decoding
      return [
        ["temperature", temperature > 0 && Number.isFinite(temperature), "a number above 0", temperature],
        ["topK", isCount(topK), count, topK],
        ["topP", topP > 0 && topP <= 1, "a number above 0 and at most 1", topP],
        ["sequences", isCount(sequences), count, sequences],
      ]
    }
  }
}
